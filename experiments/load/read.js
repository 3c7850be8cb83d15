// SPDX-License-Identifier: Apache-2.0
// The study's read protocol: first pages of 15 with an account or a category as filter, up to
// 1,000 users in 17 minutes.
import { list, me, pick, protocol, random, think } from "./common.js";

export { handleSummary } from "./common.js";

export const options = protocol(
    [[120, 150], [180, 300], [240, 600], [240, 900], [120, 1000], [120, 0]], 1000);

export default function () {
    const chance = random();
    const query = ["per_page=15"];
    if (chance < 0.4)
        query.push(`accounts[]=${pick(me().accounts)}`);
    else if (chance < 0.8)
        query.push(`categories[]=${pick(me().categories)}`);
    list(query);
    think();
}
