"""Prints what binding.gyp says for one OS, as JSON: gyp itself evaluates it, so that there is one
list of sources, defines and flags and no second one to forget.

    python read_gyp.py <pylib of gyp> <module root> <linux|mac|win>
"""

import json
import os
import sys
import tempfile
import types

pylib, root, system = sys.argv[1:]
sys.path.insert(0, pylib)
import gyp  # noqa: E402

os.chdir(root)
# What node-gyp adds to every addon.
defaults = {
    "target_defaults": {
        "type": "loadable_module",
        "defines": ["NODE_GYP_MODULE_NAME=>(_target_name)", "BUILDING_NODE_EXTENSION"],
    }
}
with tempfile.NamedTemporaryFile("w", suffix=".gypi") as include:
    json.dump(defaults, include)
    include.flush()
    _, _, targets, _ = gyp.Load(
        ["binding.gyp"],
        "gypd",
        default_variables={"OS": system, "root": "."},
        includes=[include.name],
        depth=".",
        params={
            "options": types.SimpleNamespace(generator_output=None, toplevel_dir=root),
            "parallel": False,
            "root_targets": None,
        },
    )
(target,) = targets.values()
print(json.dumps(target))
