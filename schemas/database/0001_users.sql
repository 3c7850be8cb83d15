-- SPDX-License-Identifier: Apache-2.0
-- Who owns things (a tenant is a user), how they prove it, and what the processes may do.

-- Roles belong to the server, not to the database: another Valorize on it may have made them.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['valorize_query', 'valorize_command', 'valorize_bridge'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        EXECUTE format('GRANT %I TO CURRENT_USER', name);
    END LOOP;
END
$$;

-- Every change of a tenant's row takes the next number while its user's row is locked: per tenant
-- it is the order of commits.
CREATE SEQUENCE change AS bigint;
GRANT USAGE ON SEQUENCE change TO valorize_command;

CREATE TABLE users (
    id uuid PRIMARY KEY,
    version bigint NOT NULL DEFAULT nextval('change'),
    created_at timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
    email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 255),
    password_hash text -- NULL: nobody can log in as this user
);
CREATE UNIQUE INDEX users_by_email ON users (lower(email));
GRANT SELECT (id, version, created_at, name, email) ON users TO valorize_query;
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO valorize_command;

CREATE TABLE tokens (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES users,
    version bigint NOT NULL DEFAULT nextval('change'),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz, -- NULL: never
    last_used_at timestamptz, -- at most five minutes behind
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32), -- SHA-256
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
    abilities json NOT NULL DEFAULT '["*"]',
    UNIQUE (tenant_id, id)
);
GRANT SELECT ON tokens TO valorize_query;
GRANT SELECT, INSERT, UPDATE, DELETE ON tokens TO valorize_command;

-- The one thing a reader may write: that a token is in use. Nobody waits for another who says the
-- same, nor for the disk.
CREATE FUNCTION token_used(token uuid) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT set_config('synchronous_commit', 'off', true);
    UPDATE tokens SET last_used_at = now()
    WHERE id = (SELECT id FROM tokens WHERE id = token FOR NO KEY UPDATE SKIP LOCKED);
    SELECT true;
$$;
REVOKE ALL ON FUNCTION token_used FROM PUBLIC;
GRANT EXECUTE ON FUNCTION token_used TO valorize_query;
