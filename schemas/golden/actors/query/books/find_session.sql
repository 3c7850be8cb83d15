SELECT tenant_id, expires_at, abilities FROM tokens WHERE id = $1 AND hash = $2
