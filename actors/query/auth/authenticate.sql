-- SPDX-License-Identifier: Apache-2.0
-- The tenant of a token, and that the token is in use (noted every five minutes at most).
-- $1 token, $2 SHA-256 of its secret. Index: the tokens' primary key.
SELECT tenant_id, expires_at, abilities
FROM tokens
WHERE id = $1 AND secret_hash = $2 AND (expires_at IS NULL OR expires_at > now())
    AND (last_used_at > now() - interval '5 minutes' OR token_used(id))
