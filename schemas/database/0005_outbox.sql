-- SPDX-License-Identifier: Apache-2.0
-- What happened, for the bridge: written in the transaction of its cause, taken by shard in the
-- order of versions.
CREATE TABLE outbox (
    shard smallint NOT NULL, -- of the tenant, see outbox_shard
    version bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    leased_until timestamptz, -- a bridge is at it
    kind text NOT NULL, -- 'transaction.created'
    payload json NOT NULL,
    trace text, -- W3C traceparent of the cause
    PRIMARY KEY (shard, version, id)
);
GRANT INSERT ON outbox TO valorize_command;
GRANT SELECT, UPDATE, DELETE ON outbox TO valorize_bridge;

-- The last byte of a UUIDv7 is chance.
CREATE FUNCTION outbox_shard(tenant uuid) RETURNS smallint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (get_byte(uuid_send(tenant), 15) & 63)::smallint;
