from numpy import array

from compare import same
from export import as_line


def test_modules_of_this_project():
    assert same(array(1, 2), [1, 2])
    assert as_line(["a", "b"]) == "a,b"
