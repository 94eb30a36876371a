-- The person that an id is of, whichever of their ids it is; nobody without one.
select user_id from identities where tenant_id = {location_id:String} and distinct_id = $id
