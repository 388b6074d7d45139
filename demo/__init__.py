"""Throw-away Debian hosts with systemd, a private network around them, and the playbook run against them.

    places      where things lie: cache, checkout, the machine's own Debian mirror
    layers      cached folders under an overlay: base -> debs -> servers -> converged, each with a key
    engine      two ways to boot a folder with systemd as process 1 (nspawn, plain namespaces), and the probe
    keeper      the process that holds one booted root: its mounts, its cgroup, its reboots
    root        a root seen from outside: up, run, reboot, down, freeze, changed_files
    namespaces  network namespaces that die with the process that made them
    bridge      hub, client and hosts on one private network, with a real name server

Nothing here imports Outrider: it works through the playbook and the command line. Everything needs root.
"""
