// Microsoft's own Graph client at work on the simulated directory.
// usage: node graph_sdk.mjs URL STEP JSON: does one step and prints what came of it as JSON. The
// token comes in $TOKEN, the directory's certificate in $NODE_EXTRA_CA_CERTS.
import graph from "@microsoft/microsoft-graph-client";

const [url, step, given] = process.argv.slice(2);
const client = graph.Client.initWithMiddleware({
  baseUrl: url,
  // Without it the client sends no token: 127.0.0.1 is none of Microsoft's hosts.
  customHosts: new Set([new URL(url).hostname]),
  authProvider: { getAccessToken: async () => process.env.TOKEN },
});
const bin = "/directory/deletedItems";
const advanced = { ConsistencyLevel: "eventual" };

const steps = {
  find: ({ name }) =>
    client
      .api(`${bin}/microsoft.graph.user`)
      .headers(advanced)
      .filter(`endsWith(userPrincipalName,'${name}')`)
      .count(true)
      .select(["id", "userPrincipalName", "deletedDateTime"])
      .get(),

  // The client's own walk along @odata.nextLink.
  async pages({ top }) {
    const first = await client
      .api(`${bin}/microsoft.graph.user`)
      .headers(advanced)
      .count(true)
      .orderby("deletedDateTime")
      .select("id")
      .top(top)
      .get();
    const ids = [];
    const walk = new graph.PageIterator(client, first, (user) => ids.push(user.id) > 0, {
      headers: advanced,
    });
    await walk.iterate();
    return { ids, complete: walk.isComplete(), count: first["@odata.count"] };
  },

  get: ({ id }) => client.api(`${bin}/${id}/microsoft.graph.user`).get(),
  restore: ({ id, ...wish }) => client.api(`${bin}/${id}/restore`).post(wish),
  password: ({ id, password }) =>
    client.api(`/users/${id}`).patch({
      passwordProfile: { password, forceChangePasswordNextSignIn: true },
    }),
  rename: ({ id, name }) => client.api(`/users/${id}`).patch({ userPrincipalName: name }),
  remove: ({ id }) => client.api(`/users/${id}`).delete(),
  user: ({ id }) => client.api(`/users/${id}`).select(["id", "mail"]).get(),
  roles: ({ id }) =>
    client
      .api("/roleManagement/directory/roleAssignments")
      .filter(`principalId eq '${id}'`)
      .get(),
};

// An error as the client hands it to its caller.
const told = ({ statusCode, code, message, requestId, date, body }) => ({
  error: { statusCode, code, message, requestId, date, body: statusCode > 0 && JSON.parse(body) },
});

console.log(JSON.stringify((await steps[step](JSON.parse(given)).catch(told)) ?? null));
