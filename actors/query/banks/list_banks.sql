-- SPDX-License-Identifier: Apache-2.0
-- All banks by code. Index: none; the table is forty rows.
SELECT id, code, name FROM banks ORDER BY code
