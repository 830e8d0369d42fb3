//! Users and groups.

use super::super::users;
use super::{Endpoint, PAGE, START_AT, expand, get, max_results, text, texts};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("/rest/api/3/myself", "getCurrentUser", users::myself)
        .query(&[expand(&["groups", "applicationRoles"])])
        .object(&["self", "accountId", "accountType", "displayName", "active", "timeZone"]),
    get("/rest/api/3/users/search", "getAllUsers", users::all)
        .query(&[START_AT, max_results("50").most(1000)])
        .unserved(&["expand"])
        .offset(50, 1000),
    get("/rest/api/3/users", "getAllUsersDefault", users::all)
        .query(&[START_AT, max_results("50").most(1000)])
        .unserved(&["expand"])
        .offset(50, 1000),
    get("/rest/api/3/user", "getUser", users::user)
        .query(&[text("accountId"), expand(&["groups", "applicationRoles"])])
        .unserved(&["username", "key"])
        .object(&["self", "accountId", "accountType", "displayName", "active"]),
    get("/rest/api/3/user/bulk", "bulkGetUsers", users::bulk)
        .query(&[START_AT, max_results("10"), texts("accountId").required()])
        .unserved(&["username", "key"])
        .offset(10, 200)
        .shape(PAGE),
    get("/rest/api/3/user/search", "findUsers", users::find)
        .query(&[text("query"), text("accountId"), START_AT, max_results("50")])
        .unserved(&["username", "property"])
        .offset(50, 1000),
    get("/rest/api/3/group/bulk", "bulkGetGroups", users::groups)
        .query(&[START_AT, max_results("50"), texts("groupId"), texts("groupName")])
        .unserved(&["accessType", "applicationKey"])
        .offset(50, 50)
        .shape(PAGE),
];
