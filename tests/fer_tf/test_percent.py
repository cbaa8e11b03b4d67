from fer_tf.percent import percent, percent_with_interval, points_with_interval
from fer_tf.records.evaluation import PairedDifference


def test_shares_are_written_as_percentages():
    assert percent(0.6104) == "61.0"
    assert percent_with_interval(0.61, (0.5926, 0.6293)) == "61.0 (59.3 to 62.9)"


def test_a_difference_has_its_sign():
    compared = PairedDifference(
        difference=-0.011,
        difference_95=(-0.023, 0.0),
        only_one_right=1,
        only_other_right=2,
        mcnemar_p=0.5,
    )
    assert points_with_interval(compared) == "-1.1 points (-2.3 to +0.0)"
