// SPDX-License-Identifier: Apache-2.0
// What both protocols share. experiments/load/run starts k6 with the environment read here:
// ADDRESS, USERS_FILE, USERS, SCALE, SEED, PREFIX (of memos) and SUMMARY (file).
//
// Each virtual user is one tenant, thinks for a second between requests, and never repeats one.
// What has to be checked afterwards goes to the console, a line each, fields separated by tabs:
//   write  id, account, value, memo      an acknowledged POST
//   fail   kind, status, error           a request without the status that was due
import exec from "k6/execution";
import http from "k6/http";
import { SharedArray } from "k6/data";
import { sleep } from "k6";

const scale = Number(__ENV.SCALE);
const users = new SharedArray("users", () =>
    open(__ENV.USERS_FILE).trim().split("\n").map((line) => {
        const [token, first, second, third, categories] = line.split("\t");
        return { token, accounts: [first, second, third], categories: categories.split(",") };
    }));

// stages: [seconds, users at their end] as the study had them; usersMax is their peak.
export function protocol(stages, usersMax) {
    const minutes = Math.ceil(stages.reduce((sum, [seconds]) => sum + seconds, 0) / 60);
    const thresholds = {}; // always met: they make k6 tell of a minute or kind by itself
    for (let minute = 0; minute < minutes; minute++) {
        thresholds[`http_req_duration{minute:${minute}}`] = ["max>=0"];
        thresholds[`http_reqs{minute:${minute}}`] = ["count>=0"];
    }
    for (const kind of ["list", "accounts", "write"])
        thresholds[`http_req_duration{kind:${kind}}`] = ["max>=0"];
    return {
        scenarios: {
            protocol: {
                executor: "ramping-vus",
                startVUs: 0,
                stages: stages.map(([seconds, target]) => ({
                    duration: `${Math.round(seconds * scale * 1000)}ms`,
                    target: Math.round(target * Number(__ENV.USERS) / usersMax),
                })),
                gracefulRampDown: "15s",
                gracefulStop: "15s",
            },
        },
        thresholds,
        discardResponseBodies: true,
        summaryTrendStats: ["count", "avg", "min", "med", "p(90)", "p(95)", "p(99)", "max"],
    };
}

// A small generator (mulberry32): k6's own cannot be seeded.
let state = null;

export function random() {
    if (state === null)
        state = (Number(__ENV.SEED) * 1000003 + exec.vu.idInTest * 7919) >>> 0;
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}

export const below = (bound) => Math.floor(random() * bound);
export const pick = (list) => list[below(list.length)];

export function day(daysAgo) {
    return new Date(Date.now() - daysAgo * 86400000).toISOString().slice(0, 10);
}

export const me = () => users[(exec.vu.idInTest - 1) % users.length];

function request(kind, method, path, body, due) {
    const minute = Math.floor(exec.instance.currentTestRunDuration / 60000 / scale);
    const headers = { Authorization: `Bearer ${me().token}`, Accept: "application/json" };
    if (body !== null)
        headers["Content-Type"] = "application/json";
    const answer = http.request(method, `${__ENV.ADDRESS}${path}`, body, {
        headers,
        tags: { kind, minute: String(minute), name: kind },
        responseType: body === null ? "none" : "text",
        timeout: "20s",
    });
    if (answer.status === due)
        return answer;
    console.log(["fail", kind, answer.status, answer.error].join("\t"));
    return null;
}

export const list = (query) =>
    request("list", "GET", `/api/transactions?${query.join("&")}`, null, 200);

export const accounts = () => request("accounts", "GET", "/api/accounts", null, 200);

export function write(transaction) {
    const answer = request("write", "POST", "/api/transactions", JSON.stringify(transaction), 201);
    if (answer === null)
        return;
    console.log(["write", answer.json("id"), transaction.account_id, transaction.amount.value,
        transaction.memo].join("\t"));
}

export const think = () => sleep(1);

export const handleSummary = (data) => ({ [__ENV.SUMMARY]: JSON.stringify(data.metrics) });
