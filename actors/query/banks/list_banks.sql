-- SPDX-License-Identifier: Apache-2.0
-- All banks. Index: banks_code_key.
SELECT id, code, name FROM banks ORDER BY code
