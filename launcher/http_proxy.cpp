#include "launcher/http_proxy.hpp"

#include "actors/jobs/gang.hpp"
#include "launcher/http_answers.hpp"
#include "launcher/http_tunnel.hpp"
#include "runtime/base/secret.hpp"

namespace troupe::launcher {

namespace {

result<ui_address> ui_of(client_pool& clients, const std::string& job, const std::string& task) {
  auto id = job_named(job);
  if (!id)
    return id.error();
  auto cluster = clients.borrow();
  if (!cluster)
    return cluster.error();
  auto status = (*cluster)->status(*id);
  if (!status)
    return status.error();
  for (auto& each : status->tasks)
    if (task_name(each->type, each->index) == task && each->ui_port != 0
        && each->state == task_state::running)
      return ui_address{each->host, each->ui_port};
  return {errc::not_found, std::string{"task '"}.append(printable(task)) + "' of job " + job
                             + " shows no UI now; a running task of a type with `ui: true` does"};
}

std::string with_query(const std::string& path, const std::string& query) {
  return query.empty() ? path : path + "?" + query;
}

void lead_to(http_exchange& x, uint32_t status, const std::string& where, http_headers more = {}) {
  more.push_back({"location", where});
  more.push_back({"cache-control", "no-store"});
  x.answer(status, std::move(more), "");
}

} // namespace

bool http_proxy::takes(std::string_view path) {
  return path.starts_with(ui_paths);
}

void http_proxy::answer(http_exchange& x) const {
  auto& request = x.request();
  auto query = parse_query(request.query);
  if (query && query->contains("token") && same_secret(query->at("token"), token_))
    return lead_to(x, 303, with_query(request.path, without_token(request.query)),
                   {{"set-cookie", std::string{token_cookie}.append("=").append(token_).append(
                                     "; Path=/proxy/; HttpOnly; SameSite=Strict")}});
  if (!has_token(request, token_) && !same_secret(cookie_of(request.headers, token_cookie), token_))
    return ask_for_token(x);
  auto where = split_ui_path(request.path);
  auto parts = parts_of(where.prefix);
  if (!parts || parts->size() != 3)
    return answer_error(x, 404, "a UI is at /proxy/JOB/TASK/, such as /proxy/3/worker:0/");
  if (where.rest.empty())
    return lead_to(x, 308, with_query(request.path + "/", request.query));
  auto ui = ui_of(clients_, (*parts)[1], (*parts)[2]);
  if (!ui)
    return answer_error(x, ui.error());
  pass_on(x, *ui, where, token_);
}

} // namespace troupe::launcher
