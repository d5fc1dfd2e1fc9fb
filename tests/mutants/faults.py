"""Mutants of what survives a fault: each guard that is there for one, dropped.

Nearly each run starts the whole service: `make mutants LIST=faults`.
"""

from tests.mutants import Mutant

WORKERS = "tests/faults/test_killed_workers.py"
BROKER = "tests/faults/test_broker_breaks.py"
DATABASE = "tests/faults/test_database_breaks.py"
MESSAGES = "tests/faults/test_messages_go_wrong.py"
MODELS = "tests/faults/test_models_break.py"
CLOCKS = "tests/faults/test_clocks_differ.py"
CLIENTS = "tests/faults/test_clients_and_restarts.py"
GUNICORN = "tests/deploy/test_gunicorn.py"

MUTANTS = [
    Mutant(
        name="what a lost child had claimed stays claimed",
        path="predictions/reaping.py",
        old="return return_to_queue(_expired_leases().filter(attempts_remain)",
        new="return 0 and return_to_queue(_expired_leases().filter(attempts_remain)",
        killed_by=f"{WORKERS}::test_killed_children_lose_nothing",
    ),
    Mutant(
        name="the reaper leaves expired leases",
        path="predictions/reaping.py",
        old='"leases_returned": return_expired_leases(),',
        new='"leases_returned": 0,',
        killed_by=f"{WORKERS}::test_killed_worker_groups_lose_nothing",
    ),
    Mutant(
        name="a settlement is two transactions",
        path="predictions/services.py",
        old="        billing.resolve_holds(",
        new="        __import__('django.db').db.connection.connection.commit()\n"
        "        billing.resolve_holds(",
        killed_by=f"{WORKERS}::test_a_worker_killed_at_any_step_charges_once",
    ),
    Mutant(
        name="the relay keeps a dead connection to the database",
        path="predictions/relay.py",
        old="                self.disconnect()\n                self.stopped.wait",
        new="                self.stopped.wait",
        killed_by=f"{DATABASE}::test_a_database_that_restarts_is_met_with_polite_refusals[crash]",
    ),
    Mutant(
        name="a worker takes no second look at a database that was away",
        path="mlservice/lib/outlasting.py",
        old="            if time.monotonic() > deadline:\n                raise\n",
        new="            raise\n",
        killed_by=f"{DATABASE}::test_a_database_that_restarts_is_met_with_polite_refusals[crash]",
    ),
    Mutant(
        name="attempts have no end",
        path="predictions/reaping.py",
        old="_expired_leases().filter(attempts_remain).exclude(TO_BE_CANCELED)",
        new="_expired_leases().exclude(TO_BE_CANCELED)",
        killed_by=f"{MODELS}::test_a_row_that_kills_its_process_fails_alone",
    ),
    Mutant(
        name="who has connected is cut off when a web process stops",
        path="mlservice/gunicorn.py",
        old="            self.close_listeners()\n",
        new="            pass\n",
        killed_by=f"{GUNICORN}::test_on_a_stop_a_worker_takes_all_that_wait_and_closes_its_listener",
    ),
    Mutant(
        name="newcomers connect to a listener that is about to close",
        path="mlservice/gunicorn.py",
        old="            turn_newcomers_away(server.LISTENERS)\n",
        new="            pass\n",
        killed_by=f"{GUNICORN}::test_on_a_stop_nobody_connects_any_more_and_who_has_is_answered",
    ),
    Mutant(
        name="what is taken along waits for the disk",
        path="mlservice/lib/commits.py",
        old="'synchronous_commit', 'off'",
        new="'synchronous_commit', 'on'",
        killed_by=f"{DATABASE}::test_what_a_crash_undoes_of_work_under_way_is_done_again_and_paid_once",
    ),
    Mutant(
        name="no settlement waits for the disk",
        path="mlservice/lib/commits.py",
        old="'off', true)",
        new="'off', false)",
        killed_by="tests/races/test_what_waits_for_the_disk.py"
        "::test_whatever_follows_waits_for_the_disk",
    ),
    Mutant(
        name="the relay keeps a dead connection",
        path="predictions/publisher.py",
        old="        connection, self.connection, self.producer = self.connection, None, None\n",
        new="        connection, self.connection = self.connection, None\n",
        killed_by=f"{BROKER}::test_requests_are_accepted_while_the_broker_is_away[killed]",
    ),
    Mutant(
        name="the relay waits for a silent broker without end",
        path="predictions/publisher.py",
        old='        "read_timeout": SOCKET_TIMEOUT_SECONDS,\n',
        new="",
        killed_by=f"{BROKER}::test_requests_are_accepted_while_the_broker_has_an_alarm"
        "[memory_alarm]",
    ),
    Mutant(
        name="messages may reach no queue",
        path="predictions/publisher.py",
        old='            options["mandatory"] = True\n',
        new="            pass\n",
        killed_by=f"{BROKER}::test_a_queue_that_was_deleted_is_noticed_and_made_again",
    ),
    Mutant(
        name="a database that is away is the web's own failure",
        path="mlservice/lib/problems.py",
        old="    if is_away(exc):",
        new="    if False:",
        killed_by=f"{DATABASE}::test_a_database_that_restarts_is_met_with_polite_refusals[restart]",
    ),
    Mutant(
        name="a restored database's groups stay published",
        path="predictions/reaping.py",
        old="    has_room = lanes.traffic()[lane].room(lane, lanes.window(lane)) > 0\n",
        new="    return 0\n",
        killed_by=f"{DATABASE}::test_a_restored_backup_goes_on_where_it_stood"
        "_though_the_broker_is_empty",
    ),
    Mutant(
        name="a prediction is claimed in any state",
        path="predictions/services.py",
        old="WHERE id = ANY($1) AND status = 'starting'",
        new="WHERE id = ANY($1)",
        killed_by=f"{MESSAGES}::test_a_message_that_comes_five_times_is_done_once",
    ),
    Mutant(
        name="groups that were marked and never sent stay so",
        path="predictions/reaping.py",
        old="    return return_to_queue(lost.of_lane(is_bulk=lane.is_bulk))\n",
        new="    return 0\n",
        killed_by=f"{MESSAGES}::test_a_relay_that_dies_around_publishing_strands_nothing",
    ),
    Mutant(
        name="unreadable messages are swallowed",
        path="mlservice/consumer.py",
        old="        message.reject_log_error(logger, self.connection_errors)",
        new="        message.ack()",
        killed_by=f"{MESSAGES}::test_messages_that_nobody_can_read_are_put_aside_and_others_served",
    ),
    Mutant(
        name="two relays mark the same rows",
        path="predictions/dispatch.py",
        old="    ) AND status = 'starting' AND published_at IS NULL\n"
        "    ORDER BY id FOR UPDATE SKIP LOCKED\n",
        new="    )\n",
        killed_by=f"{MESSAGES}::test_two_of_each_relay_and_beat_have_the_effect_of_one",
    ),
    Mutant(
        name="what was tried before goes with its neighbours",
        path="predictions/dispatch.py",
        old="AND CASE WHEN head.attempt > 0 THEN ranked.id = head.id ELSE ranked.attempt = 0 END",
        new="",
        killed_by=f"{MODELS}::test_a_row_that_kills_its_process_fails_alone",
    ),
    Mutant(
        name="a task may take any time",
        path="mlservice/settings.py",
        old="CELERY_TASK_TIME_LIMIT = PREDICTION_TIME_LIMIT_SECONDS\n"
        "CELERY_TASK_SOFT_TIME_LIMIT = PREDICTION_TIME_LIMIT_SECONDS - 5\n",
        new="",
        killed_by=f"{MODELS}::test_a_row_that_takes_too_much_fails_in_time",
    ),
    Mutant(
        name="a child may take any memory",
        path="predictions/tasks.py",
        old="            limit_memory(settings.WORKER_MAX_MEMORY_MB)\n",
        new="            limit_memory(0)\n",
        killed_by=f"{MODELS}::test_a_row_that_takes_too_much_fails_in_time",
    ),
    Mutant(
        name="an artifact is unpickled unchecked",
        path="ml_models/artifacts.py",
        old="    if not is_published:\n",
        new="    if False:\n",
        killed_by=f"{MODELS}::test_a_spoilt_artifact_breaks_its_version_alone[malicious]",
    ),
    Mutant(
        name="an artifact of another scikit-learn is used",
        path="ml_models/artifacts.py",
        old="    if artifact.sklearn_version != installed:\n",
        new="    if False:\n",
        killed_by=f"{MODELS}::test_a_spoilt_artifact_breaks_its_version_alone[foreign]",
    ),
    Mutant(
        name="a full disk fails the prediction",
        path="ml_models/copies.py",
        old="        _remove_least_used()\n    except OSError as failure:\n",
        new="        _remove_least_used()\n    except EOFError as failure:\n",
        killed_by=f"{MODELS}::test_a_full_disk_under_the_models_stops_nobody",
    ),
    Mutant(
        name="leases go by the worker's clock",
        path="predictions/services.py",
        old="    taken = CLAIM.run(",
        new="    sql = CLAIM.sql.replace(\n"
        '        "lease_expires_at = statement_timestamp()",\n'
        "        f\"lease_expires_at = to_timestamp({__import__('time').time()})\",\n"
        "    )\n"
        '    taken = Statement("claim_by_own_clock", CLAIM.types, sql).run(',
        killed_by=f"{CLOCKS}::test_a_worker_whose_clock_is_an_hour_wrong_keeps_its_leases[-1]",
    ),
    Mutant(
        name="rows are stamped by the web's clock",
        path="predictions/models.py",
        old='created_at = models.DateTimeField(_("created"), db_default=Now())',
        new='created_at = models.DateTimeField(_("created"), default=lambda: __import__('
        '"django.utils.timezone", fromlist=["now"]).now())',
        killed_by=f"{CLOCKS}::test_a_web_process_an_hour_behind_serves_with_its_own_tokens",
    ),
    Mutant(
        name="who waits holds up a web process that is to stop",
        path="mlservice/gunicorn.py",
        old="    waiters.drain()\n",
        new="    assert waiters\n",
        killed_by=f"{CLIENTS}::test_a_rolling_restart_shows_clients_nothing_but_retryable_answers",
    ),
    Mutant(
        name="a key is not kept",
        path="predictions/submitting.py",
        old="        idempotency_key=one.key.value,\n",
        new="        idempotency_key=None,\n",
        killed_by=f"{CLIENTS}::test_a_client_that_hangs_up_and_tries_again_has_one_prediction",
    ),
]
