"""The history as a file: what the filters show, cut at a limit, safe in a spreadsheet."""

import csv
import io
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from ml_models.models import ModelVersion
from predictions import history_csv
from predictions.models import Prediction
from predictions.runner import run
from tests.conftest import make_prediction

ADDRESS = "/predictions/history.csv"
PageOf = Callable[[User], Client]


def lines_of(client: Client, **filters: str) -> list[dict[str, str]]:
    answer = client.get(ADDRESS, filters)
    text = answer.getvalue().decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_it_holds_a_line_a_prediction_newest_first(
    page: PageOf, alice: User, bob: User, published_version: ModelVersion
) -> None:
    done = make_prediction(alice, metadata={"order": "42"})
    run([done.pk])
    waiting = make_prediction(alice)
    make_prediction(bob)

    first, second = lines_of(page(alice))

    assert (first["id"], first["status"], first["completed_at"]) == (
        str(waiting.pk),
        "starting",
        "",
    )
    assert (second["model"], second["version"], second["cost"]) == ("linear-regression", "1", "1")
    assert (second["explain"], second["refunded"]) == ("false", "0")
    assert second["metadata"] == '{"order":"42"}'
    assert second["completed_at"].endswith("+00:00")


def test_it_holds_what_the_filters_show(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    done, _ = make_prediction(alice), make_prediction(alice)
    run([done.pk])

    assert [line["id"] for line in lines_of(page(alice), status="succeeded")] == [str(done.pk)]


@pytest.mark.parametrize(
    "filters", [{"status": "done"}, {"since": "tomorrow"}, {"id": "xyz", "status": "succeeded"}]
)
def test_a_wrong_filter_leads_back_to_the_page_that_shows_what_is_wrong(
    page: PageOf, alice: User, published_version: ModelVersion, filters: dict[str, str]
) -> None:
    make_prediction(alice)

    answer = page(alice).get(ADDRESS, filters, follow=True)

    assert answer.redirect_chain == [(f"/predictions?{urlencode(filters)}", 302)]
    assert set(answer.context["form"].errors) == {next(iter(filters))}
    assert 'aria-invalid="true"' in answer.content.decode()


def test_the_page_leads_to_the_file_with_its_filters(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    make_prediction(alice)

    shown = page(alice).get("/predictions", {"status": "starting"}).content.decode()

    assert f'href="{ADDRESS}?status=starting"' in shown
    assert "the newest 10,000 at most" in shown


def test_it_is_cut_at_the_limit_and_says_so_in_its_last_line(
    page: PageOf, alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_csv, "MOST_IN_A_FILE", 2)
    made = [make_prediction(alice) for _ in range(3)]

    whole = lines_of(page(alice), id=str(made[0].pk))
    cut = lines_of(page(alice))

    assert [line["id"] for line in whole] == [str(made[0].pk)]
    assert [line["id"] for line in cut[:2]] == [str(made[2].pk), str(made[1].pk)]
    assert cut[2]["id"].startswith("Only the newest 2 predictions fit into one file")
    assert len(cut) == 3


def test_no_cell_is_a_formula(page: PageOf, alice: User, published_version: ModelVersion) -> None:
    made = make_prediction(alice)
    Prediction.objects.filter(pk=made.pk).update(error_code="=1+1")

    assert lines_of(page(alice))[0]["error_code"] == "'=1+1"


def test_it_reads_no_rows_of_predictions_and_asks_as_often_for_thirty_as_for_three(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    client = page(alice)
    counts = []
    for more in (3, 27):
        for _ in range(more):
            make_prediction(alice)
        with CaptureQueriesContext(connection) as queries:
            assert lines_of(client)
        counts.append(len(queries))
        assert not any('."input"' in query["sql"] for query in queries)

    assert counts[0] == counts[1]


def test_it_needs_a_sign_in(client: Client, db: None) -> None:
    assert client.get(ADDRESS)["Location"] == f"/sign-in?next={ADDRESS}"
