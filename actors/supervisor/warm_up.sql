-- SPDX-License-Identifier: Apache-2.0
-- Tenants whose pages are worth having: most recently active first. A sign in moves last_used_at,
-- at most five minutes late. $1 how many.
SELECT users.id
FROM users LEFT JOIN LATERAL (
    SELECT max(coalesce(last_used_at, created_at)) AS used_at FROM tokens
    WHERE tenant_id = users.id AND (expires_at IS NULL OR expires_at > now())) AS token ON true
ORDER BY token.used_at DESC NULLS LAST, users.id DESC
LIMIT $1
