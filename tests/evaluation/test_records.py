from sksurv_tta.evaluation.records import explanation_tables, rows_of

KEYS = {"model": "m", "seed": 0}


def test_rows_say_which_fit_they_are_of():
    records = [KEYS | {"fold": fold, "history": [{"epoch": 1, "loss": 0.5 * fold}]} for fold in (0, 1)]
    table = rows_of(records, "history")
    assert table.to_numpy().tolist() == [["m", 0, 0, 1, 0.0], ["m", 0, 1, 1, 0.5]]


def test_records_without_rows_give_tables_without_rows():
    old = KEYS | {"fold": 0}
    assert list(rows_of([old], "history")) == ["model", "seed", "fold", "epoch"]
    tables = explanation_tables([old, old | {"explanation": {}}])
    assert set(tables) == {"modalities", "usage", "pathway_prototypes"}
    assert all(table.empty and list(table) == ["model", "seed", "fold"] for table in tables.values())
