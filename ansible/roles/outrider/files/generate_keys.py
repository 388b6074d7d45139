"""FOLDER NAME…: make the key files that are missing; print the names of those made, never a key.

A key file has lines `key id:base64 of 32 random bytes`, the newest first. A file is never changed here: a lost or
replaced key makes the second factors unreadable. Written under another name first, so that no half file is ever seen.
"""

import base64
import os
import sys

folder, *names = sys.argv[1:]
for name in names:
    path = os.path.join(folder, name)
    if os.path.exists(path):
        continue
    line = b"1:" + base64.b64encode(os.urandom(32)) + b"\n"
    draft = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400)
    os.write(draft, line)
    os.fchmod(draft, 0o400)
    os.fsync(draft)
    os.close(draft)
    os.rename(path + ".new", path)
    print(name)
