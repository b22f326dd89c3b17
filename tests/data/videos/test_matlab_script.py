"""MATLAB scripts of anomalous frames, with values written out."""

import pytest

from memae_jax.data.videos import matlab_script
from memae_jax.runtime import errors


def _read(text):
  return [video.numbers.tolist() for video in matlab_script.read(text, 'a.m')]


SCRIPTS = {
  'as UCSD': (
    'TestVideoFile = {};\r\nTestVideoFile{end+1}.gt_frame = [2:3];\r\n'
    'TestVideoFile{end+1}.gt_frame = [];\r\n',
    [[2, 3], []],
  ),
  'numbers': ('T{2}.gt_frame = 2;T{1}.gt_frame = 1;', [[1], [2]]),
  'one line': ('T(1).gt_frame=5, T(2).gt_frame=6', [[5], [6]]),
  'rows': ('T{1,1}.gt_frame = 5; T{1,end+1}.gt_frame = 6;', [[5], [6]]),
  'columns': ('T{1}.gt_frame = 5; T{end+1,1}.gt_frame = 6;', [[5], [6]]),
  'no list': ('gt_frame = 5:6;\ngt_frame = 7;', [[5, 6], [7]]),
  'lists': ('gt_frame{2} = 5; gt_frame{1} = 6;', [[6], [5]]),
  'one list': ('gt_frame = {[1:2], [], ...\n 5};', [[1, 2], [], [5]]),
  'names': ('Test2.gt_frame = 1; Test10.gt_frame = 2;', [[1], [2]]),
  'a name': (
    "T{end+1}.name = 'it''s; 50% [';T{end}.gt_frame = [3];",
    [[3]],
  ),
  'variables': ('n = 6; k = [n n+1];\nT{1}.gt_frame = [2 k 9:n+4];',
                [[2, 6, 7, 9, 10]]),
  'counted': ('i=1;T{i}.gt_frame=5;i=i+1;T{i}.gt_frame=6;', [[5], [6]]),
  'a block': ('%{\nT{1}.gt_frame=1;\n%{\n%}\n%}\nT{1}.gt_frame=2;', [[2]]),
  'idle': ("clear all; close all\nclc\nT{1}.gt_frame=2;\ndisp('a')", [[2]]),
  'a function': ('function T = f()\nT{1}.gt_frame = 1;\nend\n', [[1]]),
  'cells': ('T = cell(1, 2);T{1}.gt_frame=1;T{2}.gt_frame=2', [[1], [2]]),
  'set again': ('T{1}.gt_frame = 1;\nT{1}.gt_frame = 2; % right', [[2]]),
  'unknown': ('x = load("a");T{1}.gt_frame = 1;', [[1]]),
}  # fmt: skip


@pytest.mark.parametrize('name', SCRIPTS)
def test_scripts(name):
  text, frames = SCRIPTS[name]
  assert _read(text) == frames


BAD = {
  'nothing': ('x = 5;', 'a.m has no gt_frame; expected'),
  'missing': ('T{1}.gt_frame=1;T{3}.gt_frame=1;', 'no gt_frame of video 2'),
  'before': ('T=cell(1,2);T{end+1}.gt_frame=1;', 'no gt_frame of video 1'),
  'two lists': ('T{1}.gt_frame=1;U{1}.gt_frame=1;', 'lists, "T" and "U"'),
  'order': ('Test2.gt_frame=1;\nTest1.gt_frame=1;', 'line 2: "Test1" comes'),
  'a part': ('x=3;\nx(2)=4;\nT{1}.gt_frame=x;', 'line 3: "x" cannot be read'),
  'a block': ('T{1}.gt_frame=1;\n%{\nT{2}.gt_frame=1;', 'line 2: the comment'),
  'a loop': ('for i=1:3\nT{i}.gt_frame=i;\nend', 'line 1: "for i'),
}


@pytest.mark.parametrize('name', BAD)
def test_bad_scripts(name):
  text, match = BAD[name]
  with pytest.raises(errors.UserError, match=match) as caught:
    _read(text)
  assert '\n' not in str(caught.value)
