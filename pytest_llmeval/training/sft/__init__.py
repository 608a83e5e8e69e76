"""The process that trains, with TRL: ``trainer`` is its entry, ``launcher`` that of several that train together.

No other module of the plugin imports trl, and no session imports any of these: what they load stays in processes of
their own.
"""
