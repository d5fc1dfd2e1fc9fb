"""`manage.py queue_status`: how the queues do, for people and with --json for programs."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from predictions.status import queue_status


class Command(BaseCommand):
    help = "Show what waits in each lane, leases, dead letters, and the worker nodes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        found = queue_status()
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2))
            return
        table = [("queue", "window", "waiting", "unpublished", "groups out", "running", "oldest")]
        table += [
            (
                *(lane["queue"], lane["window"], lane["waiting"], lane["unpublished"]),
                *(lane["groups_out"], lane["processing"], seconds(lane["oldest"])),
            )
            for lane in found["lanes"]
        ]
        self.print(table)
        leases = found["leases"]
        self.stdout.write(
            f"leases {leases['count']}, of them expired {leases['expired']}, "
            f"oldest {seconds(leases['oldest'])}; dead letters {found['dead_letters']}\n\n"
        )
        self.print(
            [("worker", "children", "last seen", "queues")]
            + [
                (
                    *(node["name"], node["children"]),
                    *(seconds(node["seen"]), ",".join(node["queues"])),
                )
                for node in found["workers"]
            ]
        )

    def print(self, table: list[tuple[Any, ...]]) -> None:
        widths = [max(len(str(cell)) for cell in column) for column in zip(*table, strict=True)]
        for row in table:
            cells = (f"{cell!s:<{width}}" for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
