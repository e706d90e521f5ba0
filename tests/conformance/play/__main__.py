# Python 2.7 and 3. Plays one scenario: `play MASTER ADDRESS SCENARIO`, or names them all in JSON: `play`.

from __future__ import print_function

import json
import sys

import scenarios  # noqa: F401
import stage

if len(sys.argv) == 4:
    stage.play(*sys.argv[1:])
print(json.dumps([[function.__name__, (function.__doc__ or "").strip(), needs] for function, needs in stage.SCENARIOS]))
