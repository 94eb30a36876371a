-- The rows of a load that are in the warehouse already; of a pattern, if it is not empty.
(
    SELECT line, problem, text
    FROM {raw:Identifier}.lines
    WHERE load_id = {lines_of:String} AND ({only:String} = '' OR multiMatchAny(text, [{only:String}]))
)
