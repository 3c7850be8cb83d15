-- SPDX-License-Identifier: Apache-2.0
-- What a new user's categories are.
CREATE TABLE default_categories (
    place integer PRIMARY KEY, -- from 1
    name text NOT NULL UNIQUE,
    color text NOT NULL,
    description text NOT NULL
);
GRANT SELECT ON default_categories TO valorize_command;

INSERT INTO default_categories (place, name, color, description) VALUES
    (1, 'Alimentação', 'red', 'Restaurantes, supermercados e delivery.'),
    (2, 'Transporte', 'blue', 'Combustível, transporte público e manutenção.'),
    (3, 'Compras', 'mauve', 'Vestuário, eletrônicos e outras compras.'),
    (4, 'Lazer', 'pink', 'Cinema, jogos e atividades de lazer.'),
    (5, 'Contas & Utilidades', 'peach', 'Energia, água, internet e telefone.'),
    (6, 'Saúde', 'green', 'Consultas médicas, farmácia e plano de saúde.'),
    (7, 'Educação', 'sapphire', 'Cursos, livros e materiais de estudo.'),
    (8, 'Viagens', 'teal', 'Passagens, hospedagens e passeios.'),
    (9, 'Receitas', 'sky', 'Salários, freelas e outras entradas.'),
    (10, 'Poupança', 'lavender', 'Reservas, investimentos e objetivos.');
