"""Numbers, spans and matrices are read as MATLAB reads them."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from memae_jax.data.videos import matlab_script
from memae_jax.runtime import errors


def _read(text):
  return [video.numbers.tolist() for video in matlab_script.read(text, 'a.m')]


# What stands after "gt_frame = ", and the frames that MATLAB reads.
FORMS = {
  '[5]': [5],
  '7': [7],
  '3:6': [3, 4, 5, 6],
  '(3:6)': [3, 4, 5, 6],
  '[]': [],
  '[ ]': [],
  '[5:4]': [],
  '[3:6]': [3, 4, 5, 6],
  '[3:6 9]': [3, 4, 5, 6, 9],
  '[9 3:5]': [9, 3, 4, 5],
  '[3:5,9]': [3, 4, 5, 9],
  '[3:5 , 9:10,]': [3, 4, 5, 9, 10],
  '[3 : 5]': [3, 4, 5],
  '[1: 3 5 :7]': [1, 2, 3, 5, 6, 7],
  '[1:2:8]': [1, 3, 5, 7],
  '[9:-3:1]': [9, 6, 3],
  '[9:-1:10]': [],
  '[1:0:5]': [],
  '[1e1:12]': [10, 11, 12],
  '[1.2E+1 .5e1 2d1]': [12, 5, 20],
  '[5. 6.0]': [5, 6],
  '[1 -2]': [1, -2],
  '[1 - 2]': [-1],
  '[1-2]': [-1],
  '[1 , -2]': [1, -2],
  '[1 , - 2]': [1, -2],
  '[1 --2]': [1, 2],
  '[1 - -2]': [3],
  '[9 -2 + 3]': [9, 1],
  '[8 (-2)+3]': [8, 1],
  '[- 2 +3]': [-2, 3],
  '[2*3:10]': [6, 7, 8, 9, 10],
  '[2 *3 10/ 5]': [6, 2],
  '[1:2+3]': [1, 2, 3, 4, 5],
  '[(1:3)+10 4]': [11, 12, 13, 4],
  '[61:63]-60': [1, 2, 3],
  '2*[1 2;3 4]': [2, 4, 6, 8],
  '10 ./ [1 2 5]': [10, 5, 2],
  '-[-3 -4]': [3, 4],
  '[3;5;9]': [3, 5, 9],
  '[1:3; 7:9]': [1, 2, 3, 7, 8, 9],
  '[1:3\n 7:9]': [1, 2, 3, 7, 8, 9],
  '[\n 1:3\n\n]': [1, 2, 3],
  '[[1 2], [3], 4:5]': [1, 2, 3, 4, 5],
  '[[1 2][3]]': [1, 2, 3],
  '[[1;2] [3;4]]': [1, 3, 2, 4],
  '[[], 5, [4:3]]': [5],
  "[1:3]'": [1, 2, 3],
  "[[1 2]' [3 4]']": [1, 3, 2, 4],
  '[1 2 ...\n 3]': [1, 2, 3],
  '[1 ... a remark ] 9\n -2]': [1, -2],
  '3:...\n 5': [3, 4, 5],
  '[1 2 % a remark ] 9\n 3 4]': [1, 2, 3, 4],
  '[3:5]; % [9:12]': [3, 4, 5],
  '[3:5] # of Octave': [3, 4, 5],
  '[3:5],': [3, 4, 5],
  '[3:5]\t;\r\n': [3, 4, 5],
  '[0:1]': [0, 1],  # Refused later, beside the clip.
  '[0.5:2]': [0.5, 1.5],
  '[(((7)))]': [7],
}


@pytest.mark.parametrize('form', FORMS)
def test_frames(form):
  assert _read(f'T = {{}};\nT{{end+1}}.gt_frame = {form}') == [FORMS[form]]
  assert _read(f'gt_frame={form}') == [FORMS[form]]


REFUSED = {
  '[12:end]': '"end" is not a number',
  '[1:2:]': '"]" has no meaning here',
  '[:5]': '":" has no meaning here',
  '[1:2:3:4]': 'three numbers at most',
  '[1:3': '"\\[" is not closed',
  '[1:3)': '"[)]" closes no bracket',
  '1:3]': '"]" closes no bracket',
  '[(1 2)]': '"2" has no meaning here',
  '[1,,2]': '"," has no meaning here',
  '[,1]': '"," has no meaning here',
  '[1:3; 9]': 'rows of a matrix need one length, but here are rows of 3 and 1',
  '[[1;2] 3]': '2 and 1 rows cannot stand side by side',
  '[1 +\n 2]': 'the end of the line has no meaning',
  '[1:\n5]': 'the end of the line has no meaning',
  '5 6': '"6" has no meaning here',
  '[1 2]:5': 'a span needs single numbers',
  '[1 2]*[3 4]': 'two matrices',
  '[1 2]+[1 2 3]': 'do not fit together',
  '[1:1e12]': 'more than 10,000,000 values',
  '[1:1e-300:5]': 'more than 10,000,000 values',
  '[1e999]': 'not finite',
  '[1/0]': 'not finite',
  '[5abc]': '"5abc" is not a number',
  '[1.2.3]': 'is not a number',
  '[3i]': 'is not a number',
  "['5']": 'has no meaning here',
  "[5 '6]": 'is not understood',
  '[5 ^ 2]': '"\\^" has no meaning here',
  '[5 == 2]': '"==" has no meaning here',
  'colon(1,5)': '"colon" is not a number that is known',
  '[n]': '"n" is not a number that is known',
  '[3 – 5]': 'is not understood',
  '': 'is not understood; expected lines like',
  ' = 5': 'is not understood',
  '1:3, 4': 'is not understood',
  '[' * 60 + ']' * 60: 'more than 50 deep',
  '5; end': '"end" is not understood',
  '5; for i = 1:3': '"for i = 1 : 3" is not understood',
  '5; T{1}.gt_frame(3) = 1': 'set all of gt_frame at once',
  '5; T{0}.gt_frame = 1': 'the number of one video',
  '5; T{1.5}.gt_frame = 1': 'one whole number',
  '5; T{2,3}.gt_frame = 1': 'the number of one video',
  '5; T{}.gt_frame = 1': 'has no meaning here',
  '5; T{1}{2}.gt_frame = 1': '"{" has no meaning here',
}


@pytest.mark.parametrize('form', REFUSED)
def test_refused_by_line(form):
  with pytest.raises(errors.UserError, match=REFUSED[form]) as caught:
    _read(f'T = {{}};\n\nT{{end+1}}.gt_frame = {form};')
  assert str(caught.value).startswith(('a.m line 3: ', 'a.m line 4: '))
  assert '\n' not in str(caught.value) and len(str(caught.value)) < 200


_number = st.integers(1, 300)
_value = st.recursive(
  st.one_of(
    _number,
    st.tuples(_number, st.integers(-3, 3), _number),
    st.just(()).map(list),
  ),
  lambda inner: st.lists(inner, max_size=4),
  max_leaves=12,
)


def _values(value):
  """Returns the frames of a nested list; a tuple is first, step and last."""
  if isinstance(value, int):
    return [value]
  if isinstance(value, tuple):
    first, step, last = value
    if step == 0:
      return []
    return list(range(first, last + (1 if step > 0 else -1), step))
  return [frame for part in value for frame in _values(part)]


def _printed(value, draw):
  """Returns the text of a nested list in one of its many forms."""
  choose = lambda *texts: draw(st.sampled_from(texts))
  blank = choose('', '', ' ', '  ')
  if isinstance(value, int):
    more = choose(0, 0, 7)
    return choose(
      f'{value}', f'{value}.0', f'{value / 10!r}e1', f'({value})',
      f'{value - more}+{more}', f'{value + more} - {more}', f'-(-{value})',
    )  # fmt: skip
  if isinstance(value, tuple):
    parts = [_printed(part, draw) for part in (value[0], value[2])]
    step = choose(f'{value[1]}', f'{value[1]}', f'({value[1]})')
    middle = [] if value[1] == 1 and choose(True, False) else [step]
    return f'{blank}:{blank}'.join([parts[0], *middle, parts[1]])
  separators = (' ', ', ', ' ,', ',', '  ', ' ...\n', ' ... so % on\n', ',\t')
  parts = [_printed(part, draw) for part in value]
  # A sign after a blank begins a new value in any case.
  text = ''.join(part + choose(*separators) for part in parts)
  text = text.rstrip(' ,\t') if choose(True, False) else text
  return f'[{blank}{text}{blank}]' + choose('', '', "''")


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(st.data(), st.lists(_value, min_size=1, max_size=3))
def test_nested_lists_in_all_their_forms(data, value):
  text = _printed(value, data.draw)
  (video,) = matlab_script.read(f'gt_frame = {text};', 'a.m')
  np.testing.assert_array_equal(video.numbers, _values(value))
