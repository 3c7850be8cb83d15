// SPDX-License-Identifier: Apache-2.0
// The study's mixed protocol: 65 % lists with many filters, 15 % accounts, 20 % writes, a fresh
// tenant for each of up to 650 users, in 21 minutes.
import exec from "k6/execution";

import { accounts, below, day, list, me, pick, protocol, random, think, write } from "./common.js";

export { handleSummary } from "./common.js";

export const options = protocol(
    [[120, 30], [180, 80], [240, 180], [240, 350], [240, 550], [120, 650], [120, 0]], 650);

const DAYS = 180; // back from today: where transactions lie

function filters() {
    const first = below(3);
    const query = [`accounts[]=${me().accounts[first]}`, `per_page=${20 + below(40)}`];
    if (random() < 0.5)
        query.push(`accounts[]=${me().accounts[(first + 1) % 3]}`);
    if (random() < 0.6)
        query.push(`categories[]=${pick(me().categories)}`);
    if (random() < 0.5)
        query.push(`type=${pick(["debit", "credit"])}`);
    const last = below(DAYS - 30);
    query.push(`start_date=${day(last + 30 + below(60))}`, `end_date=${day(last)}`);
    return query;
}

function transaction() {
    const value = random() < 0.15 ? 10000 + below(900000) : -100 - below(50000);
    return {
        account_id: pick(me().accounts),
        category_id: random() < 0.8 ? pick(me().categories) : null,
        amount: { value, currency: "BRL" },
        date: day(below(DAYS)),
        memo: `${__ENV.PREFIX}${exec.vu.idInTest}-${exec.vu.iterationInInstance}`,
    };
}

export default function () {
    const chance = random();
    if (chance < 0.65)
        list(filters());
    else if (chance < 0.8)
        accounts();
    else
        write(transaction());
    think();
}
