"""A healthy, much probed service as series of Prometheus, and for each alert what makes it ring."""

from typing import Any

# An hour with a sample each minute; more where an alert waits for longer.
SAMPLES = 60
STILL = f"x{SAMPLES}"
MINUTES_BETWEEN = {"MLServiceAuditMissing": 30}


def always(value: float) -> str:
    return f"{value}{STILL}"


def rising(step: float) -> str:
    return f"0+{step}{STILL}"


WEB = 'job="mlservice-web", instance="web:8000"'
WORKER = 'job="mlservice-worker", instance="worker:9100"'
BUCKET = "mlservice_http_request_seconds_bucket"
GETS = f'{BUCKET}{{method="GET", route="wallet", le='

HEALTHY = {
    f"up{{{WEB}}}": always(1),
    f"up{{{WORKER}}}": always(1),
    "mlservice_http_requests_in_flight": always(3),
    'mlservice_http_requests_total{route="wallet", method="GET", status="2xx"}': rising(600),
    'mlservice_http_requests_total{route="wallet", method="GET", status="5xx"}': always(0),
    'mlservice_http_requests_total{route="readyz", method="GET", status="5xx"}': rising(9),
    **{
        series: rising(60_000)
        for route in ("livez", "readyz", "metrics")
        for series in (
            f'mlservice_http_requests_total{{route="{route}", method="GET", status="2xx"}}',
            f'{BUCKET}{{method="GET", route="{route}", le="0.1"}}',
            f'{BUCKET}{{method="GET", route="{route}", le="2.5"}}',
            f'{BUCKET}{{method="GET", route="{route}", le="+Inf"}}',
        )
    },
    f'{GETS}"0.1"}}': rising(600),
    f'{GETS}"2.5"}}': rising(600),
    f'{GETS}"+Inf"}}': rising(600),
    'mlservice_collector_up{collector="database"}': always(1),
    'mlservice_collector_up{collector="queue"}': always(1),
    "mlservice_database_probe_seconds": always(0.001),
    "mlservice_database_connections": always(40),
    "mlservice_database_deadlocks_total": always(2),
    'mlservice_limit{name="database_connections"}': always(200),
    'mlservice_limit{name="backlog"}': always(10_000),
    'mlservice_limit{name="hold_age_seconds"}': always(86_500),
    "mlservice_relay_turned_timestamp_seconds": rising(60),
    'mlservice_relay_failures_total{side="broker"}': always(1),
    'mlservice_relay_failures_total{side="database"}': always(1),
    **{
        series: always(value)
        for lane in ("predictions", "bulk")
        for series, value in {
            f'mlservice_queue_oldest_seconds{{lane="{lane}"}}': 2,
            f'mlservice_queue_oldest_unpublished_seconds{{lane="{lane}"}}': 1,
            f'mlservice_queue_open_groups{{lane="{lane}"}}': 1,
            f'mlservice_queue_processing{{lane="{lane}"}}': 8,
            f'mlservice_queue_waiting{{lane="{lane}"}}': 30,
        }.items()
    },
    "mlservice_leases_expired": always(0),
    "mlservice_dead_letters": always(0),
    'mlservice_worker_children{queue="predictions"}': always(4),
    'mlservice_worker_children{queue="bulk"}': always(4),
    "mlservice_worker_children_lost_total": always(1),
    f'mlservice_process_memory_bytes{{{WORKER}, process="largest_child"}}': always(3e8),
    f"mlservice_worker_memory_limit_bytes{{{WORKER}}}": always(1e9),
    'mlservice_duties_total{duty="billing.tell_low_balances", outcome="done"}': rising(1),
    'mlservice_duties_total{duty="mail.send_letters", outcome="failed"}': always(1),
    "mlservice_letters_oldest_due_seconds": always(20),
    'ledger_drift{rule="I1_balance"}': always(0),
    "ledger_audit_finished_timestamp_seconds": always(0),
    "mlservice_held_difference_credits": always(0),
    "mlservice_holds_oldest_seconds": always(40),
    "mlservice_wallets_frozen": always(0),
    'mlservice_model_versions{model="forest", status="broken"}': always(0),
    'mlservice_model_predictions_total{model="forest", version="1", status="succeeded"}': rising(
        90
    ),
    'mlservice_model_predictions_total{model="forest", version="1", status="failed"}': rising(1),
}
# What is otherwise while an alert rings; None takes a series away.
FAULTS: dict[str, dict[str, Any]] = {
    "MLServiceTargetDown": {f"up{{{WORKER}}}": always(0)},
    "MLServiceWebAbsent": {"mlservice_http_requests_in_flight": None},
    "MLServiceErrorsAreMany": {
        'mlservice_http_requests_total{route="wallet", method="GET", status="5xx"}': rising(60)
    },
    "MLServiceAnswersAreSlow": {f'{GETS}"0.1"}}': rising(60)},
    "MLServiceDatabaseAway": {'mlservice_collector_up{collector="database"}': always(0)},
    "MLServiceFiguresMissing": {'mlservice_collector_up{collector="queue"}': always(0)},
    "MLServiceDatabaseSlow": {"mlservice_database_probe_seconds": always(0.4)},
    "MLServiceConnectionsRunOut": {"mlservice_database_connections": always(170)},
    "MLServiceDeadlocks": {"mlservice_database_deadlocks_total": rising(1)},
    "MLServiceRelayStopped": {"mlservice_relay_turned_timestamp_seconds": always(600)},
    "MLServiceBrokerRefuses": {'mlservice_relay_failures_total{side="broker"}': rising(30)},
    "MLServiceNothingIsPublished": {
        'mlservice_queue_oldest_unpublished_seconds{lane="bulk"}': always(90),
        'mlservice_queue_open_groups{lane="bulk"}': always(0),
        'mlservice_queue_processing{lane="bulk"}': always(0),
    },
    "MLServiceWaitIsLong": {'mlservice_queue_oldest_seconds{lane="predictions"}': always(90)},
    "MLServiceBulkWaitIsLong": {'mlservice_queue_oldest_seconds{lane="bulk"}': always(2_000)},
    "MLServiceBacklogFillsUp": {'mlservice_queue_waiting{lane="bulk"}': always(8_500)},
    "MLServiceLeasesRanOut": {"mlservice_leases_expired": always(3)},
    "MLServiceDeadLetters": {"mlservice_dead_letters": always(1)},
    "MLServiceNoWorkers": {'mlservice_worker_children{queue="bulk"}': always(0)},
    "MLServiceChildrenLost": {"mlservice_worker_children_lost_total": rising(1)},
    "MLServiceWorkerMemoryHigh": {
        f'mlservice_process_memory_bytes{{{WORKER}, process="largest_child"}}': always(9.5e8)
    },
    "MLServiceDutyFails": {
        'mlservice_duties_total{duty="mail.send_letters", outcome="failed"}': rising(1)
    },
    "MLServiceDutiesStopped": {
        'mlservice_duties_total{duty="billing.tell_low_balances", outcome="done"}': always(9)
    },
    "MLServiceLettersWait": {"mlservice_letters_oldest_due_seconds": always(1_200)},
    "MLServiceLedgerDrift": {'ledger_drift{rule="I1_balance"}': always(1)},
    "MLServiceHeldDiffers": {"mlservice_held_difference_credits": always(-1)},
    "MLServiceAuditIsOld": {"ledger_audit_finished_timestamp_seconds": always(-100_000)},
    "MLServiceAuditMissing": {"ledger_audit_finished_timestamp_seconds": None},
    "MLServiceHoldIsOld": {"mlservice_holds_oldest_seconds": always(90_000)},
    "MLServiceWalletsFrozen": {"mlservice_wallets_frozen": always(1)},
    "MLServiceVersionBroken": {
        'mlservice_model_versions{model="forest", status="broken"}': always(1)
    },
    "MLServicePredictionsFail": {
        'mlservice_model_predictions_total{model="forest", version="1", status="failed"}': rising(9)
    },
}


# What looks like the fault of an alert and is none, or another's.
MISTAKABLE: dict[str, dict[str, str]] = {
    # One turn failed after half an hour.
    "MLServiceBrokerRefuses": {
        'mlservice_relay_failures_total{side="broker"}': "1x29 2x30",
    },
    # The relay says that it has no database.
    "MLServiceRelayStopped": {
        "mlservice_relay_turned_timestamp_seconds": always(600),
        'mlservice_relay_failures_total{side="database"}': rising(50),
    },
}


def ringing(alert: str) -> dict[str, Any]:
    """A test of promtool: at the end the alert rings, in a service with its fault."""
    return case(
        {name: values for name, values in (HEALTHY | FAULTS[alert]).items() if values},
        f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) > bool 0',
        [{"labels": "{}", "value": 1}],
        MINUTES_BETWEEN.get(alert, 1),
    )


def silent() -> dict[str, Any]:
    """A test of promtool: nothing rings in a healthy service, not even what would ring soon."""
    return case(HEALTHY, "ALERTS", [])


def never_ringing(alert: str) -> dict[str, Any]:
    """A test of promtool: at no time does the alert ring for what is mistaken for its fault."""
    rang = f'count_over_time(ALERTS{{alertname="{alert}", alertstate="firing"}}[{SAMPLES}m])'
    return case(HEALTHY | MISTAKABLE[alert], rang, [])


def case(
    series: dict[str, str], expression: str, expected: list[Any], minutes: int = 1
) -> dict[str, Any]:
    asked = {"expr": expression, "eval_time": f"{SAMPLES * minutes}m", "exp_samples": expected}
    return {
        "interval": f"{minutes}m",
        "input_series": [{"series": name, "values": said} for name, said in series.items()],
        "promql_expr_test": [asked],
    }
