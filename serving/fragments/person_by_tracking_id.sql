-- The person of a tracking id; nobody without one.
select user_id from users where tenant_id = {location_id:String} and tracking_id = $id
