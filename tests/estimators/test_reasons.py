"""Explanations and memories are printed as one line."""


def test_a_short_line_says_what_is_there(detector, table):
  line = repr(detector.explain(table[:7]))
  assert line == (
    'Explanation(score: [7] float64, reconstruction: [7, 4] float64, errors:'
    ' [7, 4] float32, slots: [7, 3] int64, weights: [7, 3] float32, samples:'
    ' [7, 3, 3] int64, columns: None)'
  )
  line = repr(detector.memory())
  assert line.startswith('Memory(slots: [6, ') and '\n' not in line
  assert line.endswith('decoded: [6, 4] float64, samples: [6, 3] int64)')
