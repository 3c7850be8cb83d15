-- SPDX-License-Identifier: Apache-2.0
-- The forty largest banks of Brazil by their COMPE code. The ids are the same in every database.
CREATE TABLE banks (
    id uuid PRIMARY KEY,
    code text COLLATE "C" NOT NULL UNIQUE CHECK (code ~ '^[0-9]{3}$'),
    name text NOT NULL
);
GRANT SELECT ON banks TO valorize_query, valorize_command;

INSERT INTO banks (id, code, name)
SELECT ('018c0000-0000-7000-8000-000000000' || code)::uuid, code, name
FROM (VALUES
    ('001', 'Banco do Brasil'),
    ('003', 'Banco da Amazônia'),
    ('004', 'Banco do Nordeste'),
    ('021', 'Banestes'),
    ('033', 'Santander'),
    ('037', 'Banpará'),
    ('041', 'Banrisul'),
    ('047', 'Banese'),
    ('070', 'BRB'),
    ('077', 'Banco Inter'),
    ('085', 'Ailos'),
    ('104', 'Caixa Econômica Federal'),
    ('133', 'Cresol'),
    ('136', 'Unicred'),
    ('197', 'Stone'),
    ('208', 'BTG Pactual'),
    ('212', 'Banco Original'),
    ('218', 'BS2'),
    ('237', 'Bradesco'),
    ('246', 'ABC Brasil'),
    ('260', 'Nubank'),
    ('290', 'PagBank'),
    ('318', 'BMG'),
    ('323', 'Mercado Pago'),
    ('335', 'Digio'),
    ('336', 'C6 Bank'),
    ('341', 'Itaú'),
    ('348', 'Banco XP'),
    ('380', 'PicPay'),
    ('389', 'Banco Mercantil'),
    ('422', 'Safra'),
    ('604', 'Banco Industrial do Brasil'),
    ('623', 'Banco Pan'),
    ('637', 'Sofisa'),
    ('655', 'BV'),
    ('707', 'Daycoval'),
    ('745', 'Citibank'),
    ('748', 'Sicredi'),
    ('752', 'BNP Paribas Brasil'),
    ('756', 'Sicoob')
) AS bank (code, name);
