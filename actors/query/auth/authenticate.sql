-- SPDX-License-Identifier: Apache-2.0
-- The tenant of a token. $1 token, $2 SHA-256 of its secret. Index: tokens_pkey.
-- A token that is used is noted every five minutes at most; the CASE is evaluated last.
SELECT tenant_id, expires_at, abilities FROM tokens
WHERE id = $1 AND secret_hash = $2 AND (expires_at IS NULL OR expires_at > now())
    AND CASE WHEN last_used_at > now() - interval '5 minutes' THEN true ELSE token_used(id) END
