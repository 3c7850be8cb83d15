# SPDX-License-Identifier: Apache-2.0
"""The data experiments/seed has made, and the tokens of its tenants."""
import datetime
import json
import urllib.parse

from running import refuse


class Seeded:
    def __init__(self, running):
        self.running = running
        self.folder = running.data / "seed"
        self.tenants_file = self.folder / "tenants.tsv"
        try:
            about = json.loads((self.folder / "seed.json").read_text())
        except (OSError, ValueError):
            refuse("the database has no data to measure with: experiments/seed")
        self.seed, self.first_day, self.days = about["seed"], about["first_day"], about["days"]
        self.long = about["long"]

    def tenants(self):
        """[token, first account, second, third, categories with commas] of each."""
        return [line.split("\t") for line in self.tenants_file.read_text().splitlines()]

    def day(self, number):
        first = datetime.date.fromisoformat(self.first_day)
        return (first + datetime.timedelta(days=number)).isoformat()

    def count(self, token, path):
        """How many transactions a list with at most a date window has, counted by PostgreSQL."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
        first = query.get("start_date", "1900-01-01")
        last = query.get("end_date", "2199-12-31")
        account = next(tenant[1] for tenant in self.tenants() if tenant[0] == token)
        [[count]] = self.running.sql(
            f"SELECT count(*) FROM transactions WHERE tenant_id = "
            f"(SELECT tenant_id FROM accounts WHERE id = '{account}') "
            f"AND date >= '{first}T00:00:00Z' AND date < '{last}T00:00:00Z'::timestamptz + "
            f"interval '1 day'")
        return int(count)
