"""The only place that removes what a client sent and got; status, cost and times stay."""

from predictions.models import Prediction


def remove_rows(*, user_id: int) -> int:
    """Remove rows, results, metadata and errors of a user's predictions; return how many."""
    kept = Prediction.objects.for_user(user_id).filter(data_removed=False)
    return kept.update(input="null", output=None, metadata={}, error="", data_removed=True)
