-- An answer in which no internal id is left: people by their tracking ids.
with answer as (
$answer
)
select $columns
from answer
left join (
    select user_id, tracking_id
    from users
    where tenant_id = {location_id:String} and user_id in (select _user_id from answer)
) as people on people.user_id = answer._user_id
order by answer._place
