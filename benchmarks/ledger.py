"""The only place that writes a large ledger which agrees with everything around it."""

from typing import Any

from django.db import connection, transaction

from accounts.models import User
from ml_models.models import MLModel, ModelVersion
from predictions.usage import add_up_usage

MONTHS = 24
OPEN_HOLDS = 200

# A wallet's entries come in blocks of 100: a top-up, then charges that it can pay, a refund, a
# correction, and in every fifth block a reversal. A top-up outlasts its block, so no balance is
# ever negative.
PLAN = """
CREATE TEMPORARY TABLE plan ON COMMIT DROP AS
WITH purse AS (
    SELECT id AS wallet_id, user_id, row_number() OVER (ORDER BY id) - 1 AS number
    FROM billing_wallet WHERE user_id = ANY(%(users)s)
), sized AS (
    SELECT *, CASE WHEN number = 0 THEN %(hot)s ELSE %(each)s END AS entries FROM purse
), placed AS (
    SELECT wallet_id, user_id, entries, k, (k - 1) %% 100 AS place, (k - 1) / 100 AS block,
           now() - make_interval(months => %(months)s)
               + (now() - (now() - make_interval(months => %(months)s)))
                 * ((k - 0.5 - (number %% 10) / 25.0) / entries) AS made
    FROM sized, generate_series(1, entries) AS k
), valued AS (
    SELECT *,
           CASE WHEN place = 0 THEN 'top_up' WHEN k = 2 THEN 'grant' WHEN place = 50 THEN 'refund'
                WHEN place = 75 THEN 'correction'
                WHEN place = 98 AND block %% 5 = 4 THEN 'reversal' ELSE 'capture' END AS kind,
           (place %% 2)::int AS version,
           CASE WHEN place %% 2 = 0 THEN 1 + k %% 4 ELSE 5 END AS cost
    FROM placed
)
SELECT row_number() OVER (ORDER BY made, wallet_id, k) AS n, valued.*,
       CASE kind WHEN 'top_up' THEN 1000 WHEN 'grant' THEN 50 WHEN 'refund' THEN 5
                 WHEN 'correction' THEN CASE WHEN block %% 2 = 0 THEN 3 ELSE -2 END
                 WHEN 'reversal' THEN -20 ELSE -cost END AS amount,
       (lpad(to_hex((extract(epoch FROM made) * 1000)::bigint), 12, '0') || '7'
           || substr(md5(wallet_id || ':' || k), 1, 3) || '8'
           || substr(md5(wallet_id || ':' || k), 4, 15))::uuid AS thing
FROM valued
"""

FILL = {
    "plan": PLAN,
    "plan, indexed": "CREATE UNIQUE INDEX ON plan (wallet_id, k)",
    "plan, analysed": "ANALYZE plan",
    "top-ups": """
        INSERT INTO billing_topup (id, wallet_id, amount, cents, currency, provider, status, note,
            payment_id, checkout_url, reversed, shortfall, fingerprint,
            created_at, expires_at, resolved_at)
        SELECT thing, wallet_id, amount, amount, 'USD', 'stripe', 'paid', '', 'pay-' || n, '',
               CASE WHEN block %% 5 = 4 AND k + 98 <= entries THEN 20 ELSE 0 END, 0, '',
               made - interval '1 minute', made + interval '14 days', made
        FROM plan WHERE kind = 'top_up' ORDER BY n""",
    "reversals": """
        INSERT INTO billing_paymentreversal
            (external_id, provider, payment_id, cents, is_active, created_at)
        SELECT 'refund-' || plan.n, 'stripe', 'pay-' || paid.n, 20, true, plan.made
        FROM plan JOIN plan AS paid ON paid.wallet_id = plan.wallet_id AND paid.k = plan.k - 98
        WHERE plan.kind = 'reversal'""",
    # What was charged, and a failed one free of charge for every fiftieth of them.
    "holds": """
        INSERT INTO billing_hold (wallet_id, amount, captured, refunded, status,
            reference_type, reference_id, created_at, resolved_at)
        SELECT wallet_id, cost, cost, CASE WHEN place = 49 AND k < entries THEN cost ELSE 0 END,
               'captured', 'prediction', thing::text, made - interval '2 seconds', made
        FROM plan WHERE kind = 'capture'
        UNION ALL
        SELECT wallet_id, 5, 0, 0, 'released', 'prediction', md5(thing::text)::uuid::text,
               made - interval '1 second', made
        FROM plan WHERE kind = 'capture' AND place = 7""",
    "open holds": """
        INSERT INTO billing_hold (wallet_id, amount, captured, refunded, status,
            reference_type, reference_id)
        SELECT wallet_id, 5, 0, 0, 'held', 'prediction', md5('open' || thing)::uuid::text
        FROM plan WHERE k = 1 ORDER BY wallet_id LIMIT %(open)s""",
    "predictions": """
        INSERT INTO predictions_prediction (id, user_id, version_id, hold_id, status, source,
            input, output, error, error_code, rows_total, rows_valid, price, cost, metadata,
            fingerprint, request_id, attempt, created_at, started_at, completed_at,
            predict_seconds, data_removed)
        SELECT hold.reference_id::uuid, wallet.user_id,
               CASE WHEN hold.amount = 5 THEN %(dear)s ELSE %(cheap)s END, hold.id,
               CASE hold.status WHEN 'captured' THEN 'succeeded'
                                WHEN 'released' THEN 'failed' ELSE 'starting' END,
               'api', %(input)s, CASE WHEN hold.status = 'captured' THEN %(output)s END, '', '',
               CASE WHEN hold.amount = 5 THEN 1 ELSE hold.amount END,
               CASE WHEN hold.amount = 5 THEN 1 ELSE hold.amount END,
               CASE WHEN hold.amount = 5 THEN 5 ELSE 1 END, hold.captured, '{}', '', '', 1,
               hold.created_at, hold.created_at, hold.resolved_at, 0.01, false
        FROM billing_hold AS hold JOIN billing_wallet AS wallet ON wallet.id = hold.wallet_id
        WHERE wallet.user_id = ANY(%(users)s) ORDER BY hold.id""",
    "entries": """
        INSERT INTO billing_ledgerentry (wallet_id, kind, amount, balance_after, reason,
            reference_type, reference_id, created_at)
        SELECT plan.wallet_id, plan.kind, plan.amount,
               sum(plan.amount) OVER (PARTITION BY plan.wallet_id ORDER BY plan.k),
               CASE WHEN plan.kind = 'correction' THEN 'Agreed by phone' ELSE '' END,
               CASE plan.kind WHEN 'capture' THEN 'prediction' WHEN 'refund' THEN 'prediction'
                              WHEN 'top_up' THEN 'top_up' WHEN 'reversal' THEN 'top_up'
                              WHEN 'grant' THEN 'sign_up' ELSE 'adjustment' END,
               CASE plan.kind WHEN 'grant' THEN plan.user_id::text
                              ELSE coalesce(about.thing, plan.thing)::text END,
               plan.made
        FROM plan LEFT JOIN plan AS about ON about.wallet_id = plan.wallet_id
             AND about.k = CASE plan.kind WHEN 'refund' THEN plan.k - 1
                                          WHEN 'reversal' THEN plan.k - 98 END
        ORDER BY plan.n""",
    "wallets": """
        UPDATE billing_wallet AS wallet SET balance = total.balance, held = total.held
        FROM (SELECT wallet_id, sum(amount) AS balance,
                     coalesce((SELECT sum(amount) FROM billing_hold AS hold
                               WHERE hold.wallet_id = plan.wallet_id
                                 AND hold.status = 'held'), 0) AS held
              FROM plan GROUP BY wallet_id) AS total
        WHERE total.wallet_id = wallet.id""",
}

SAMPLE = {
    "input": '[{"carat":0.7,"cut":"Very Good","color":"F","clarity":"VVS1","depth":59.3,'
    '"table":62.0,"x":5.74,"y":5.77,"z":3.41}]',
    "output": '[{"index":0,"status":"succeeded","prediction":3210.123456789}]',
}


def fill(*, rows: int, hot: int, wallets: int) -> User:
    """Write about `rows` ledger entries over 24 months; return the user who owns `hot` of them.

    rows, hot: entries; the rest is spread evenly over `wallets` further users. Everything else
    that the audit compares is written beside them: holds, predictions, top-ups, balances.
    """
    users = make_users(wallets + 1)
    cheap, dear = make_version("cheap", price=1), make_version("dear", price=5)
    wanted: dict[str, Any] = {
        **SAMPLE,
        "users": [user.pk for user in users],
        "months": MONTHS,
        "open": OPEN_HOLDS,
        "hot": hot,
        "each": max(1, (rows - hot) // wallets),
        "cheap": cheap.pk,
        "dear": dear.pk,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in FILL.values():
            cursor.execute(statement, wanted)
    # A service does so every quarter of an hour.
    add_up_usage()
    return users[0]


def make_users(count: int) -> list[User]:
    """Make users who own a wallet and cannot sign in by password."""
    made = User.objects.bulk_create(
        User(username=f"client-{number}", email=f"client-{number}@example.com", password="!")
        for number in range(count)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO billing_wallet (user_id, balance, held, shortfall)
               SELECT unnest(%s), 0, 0, 0""",
            [[user.pk for user in made]],
        )
    return made


def make_version(slug: str, *, price: int) -> ModelVersion:
    """Make a version that is good for being paid, not for predicting."""
    return ModelVersion.objects.create(
        model=MLModel.objects.create(slug=slug, title=slug.capitalize()),
        number=1,
        price=price,
        artifact_md5="0" * 32,
        artifact_sha256="0" * 64,
        artifact_size=1,
        sklearn_version="1",
        input_schema={"type": "object", "properties": {}},
        output_schema={},
        example={},
        metrics={},
    )
