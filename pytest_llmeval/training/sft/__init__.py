"""The process that trains, by TRL: ``trainer`` is its entry, ``launcher`` that of several that train together.

No other module of the plugin imports trl, and no session imports any of these: what they need stays in processes of
their own.
"""
