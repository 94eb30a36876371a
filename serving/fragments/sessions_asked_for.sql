-- Sessions of one person, of one session id, or of all; whichever was asked for.
sessions.tenant_id = {location_id:String}
and ({date_from:Nullable(DateTime64(6, 'UTC'))} is null or sessions.session_date >= toDate({date_from:Nullable(DateTime64(6, 'UTC'))}))
and ({date_to:Nullable(DateTime64(6, 'UTC'))} is null or sessions.session_date <= toDate({date_to:Nullable(DateTime64(6, 'UTC'))}))
and ({date_from:Nullable(DateTime64(6, 'UTC'))} is null or sessions.session_start >= {date_from:Nullable(DateTime64(6, 'UTC'))})
and ({date_to:Nullable(DateTime64(6, 'UTC'))} is null or sessions.session_start <= {date_to:Nullable(DateTime64(6, 'UTC'))})
and ({session_id:Nullable(String)} is null or sessions.session_id = {session_id:Nullable(String)})
and (
    {session_id:Nullable(String)} is null
    or (sessions.session_date, sessions.session_key) in (
        select toDate(session_start), session_key
        from int_session_facts
        where
            tenant_id = {location_id:String}
            and {session_id:Nullable(String)} is not null
            and session_key in (
                concat('s:', assumeNotNull({session_id:Nullable(String)})),
                concat('s:', replaceRegexpOne(assumeNotNull({session_id:Nullable(String)}), '~[0-9]+$', ''))
            )
    )
    or startsWith(sessions.session_key, 'd:')
)
and (
    {distinct_id:Nullable(String)} is null
    or (sessions.session_date, sessions.session_key, sessions.session_start) in (
        select session_date, session_key, session_start
        from int_user_sessions
        where tenant_id = {location_id:String} and user_id in person
    )
)
