// The HTTP server beside a real cluster, asked with a client that is not ours: the answers are what
// docs/openapi.json says, the commands print the same, and a UI is reached behind the token.
#include "tests/e2e/cluster.hpp"
#include "tests/e2e/json_schema.hpp"

#include <httplib.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>

namespace troupe::e2e {
namespace {

using json = nlohmann::json;

// Shows a page at its UI's port until it is killed.
const std::string ui_script = R"(
import http.server, os, sys
class page(http.server.BaseHTTPRequestHandler):
  def do_GET(self):
    body = ("at " + self.path + " of " + self.headers["x-forwarded-prefix"]).encode()
    self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
    self.wfile.write(body)
where = (os.environ["TROUPE_UI_HOST"], int(os.environ["TROUPE_UI_PORT"]))
http.server.ThreadingHTTPServer(where, page).serve_forever()
)";

class http : public cluster {
protected:
  void start() {
    ASSERT_EQ(troupe({"up", "--nodes", "1", "--cpus", "4", "--http", "127.0.0.1:0"}).code, 0);
    auto address = text_of(directory + "/http.address");
    client_ = std::make_unique<httplib::Client>(address.substr(0, address.find('\n')));
    client_->set_read_timeout(30);
    token_ = text_of(directory + "/keys/http.token");
    token_.resize(token_.find('\n'));
    bearer_ = {{"Authorization", "Bearer " + token_}};
  }

  std::string get(const std::string& path, int status = 200) {
    auto got = client_->Get(path, bearer_);
    EXPECT_TRUE(got) << path;
    if (!got)
      return {};
    EXPECT_EQ(got->status, status) << path << ": " << got->body;
    return got->body;
  }

  json tree(const std::string& path, int status = 200) {
    return json::parse(get(path, status), nullptr, false);
  }

  std::unique_ptr<httplib::Client> client_;
  std::string token_;
  httplib::Headers bearer_;
};

// Fills in the names of a path.
std::string filled(std::string path) {
  for (auto& [name, value] :
       {std::pair<std::string, std::string>{"{job}", "1"}, {"{task}", "worker:0"}})
    if (auto at = path.find(name); at != std::string::npos)
      path.replace(at, name.size(), value);
  return path;
}

} // namespace

TEST_F(http, every_answer_is_what_its_description_says) {
  start();
  write("in.txt", "input");
  auto script
    = write("task.sh", "for i in 1 2; do echo \"metric loss 0.$i $i\" >&$TROUPE_METRICS_FD; "
                       "done; echo hello; echo x > $TROUPE_OUTPUT/out; "
                       "[ $TROUPE_ATTEMPT = 2 ]\n");
  auto file = write("job.yaml", "name: probe\ninputs: [in.txt]\noutputs: [out]\ntasks:\n  worker:\n"
                                "    command: [/bin/sh, "
                                  + script + "]\n");
  ASSERT_EQ(troupe({"submit", file, "--wait"}).code, 0);
  ASSERT_TRUE(eventually([&] { return tree("/api/v1/usage")["usage"].size() == 1; }));
  auto description = tree("/openapi.json");
  ASSERT_TRUE(description.contains("paths"));
  for (auto& [path, operations] : description["paths"].items()) {
    auto content = operations["get"]["responses"]["200"]["content"];
    ASSERT_EQ(content.size(), 1u) << path;
    if (!content.contains("application/json"))
      continue;
    auto schema = content["application/json"]["schema"];
    for (auto& each : violations(description, schema, tree(filled(path))))
      ADD_FAILURE() << path << ": " << each;
  }
  auto error = description["components"]["schemas"]["Error"];
  for (auto& [path, status] : {std::pair{"/api/v1/jobs/9", 404},
                               {"/api/v1/jobs?state=lost", 400},
                               {"/api/v1/jobs?since=soon", 400},
                               {"/api/v1/jobs/1/tasks/worker:9/log", 404},
                               {"/api/v1/jobs/1/metrics?task=worker:9", 404},
                               {"/proxy/1/worker:0/", 404}})
    EXPECT_TRUE(violations(description, error, tree(path, status)).empty()) << path;
  // The same documents as those of the commands.
  for (auto& [path, command] : std::vector<std::pair<std::string, std::vector<std::string>>>{
         {"/api/v1/jobs/1", {"job", "1", "--json"}},
         {"/api/v1/jobs/1/attempts", {"job", "1", "--attempts", "--json"}},
         {"/api/v1/jobs/1/config", {"job", "1", "--config"}},
         {"/api/v1/jobs/1/metrics", {"metrics", "1", "--json"}},
         {"/api/v1/jobs/1/lineage", {"lineage", "show", "1", "--json"}},
         {"/api/v1/usage", {"usage", "--json"}},
         {"/api/v1/jobs", {"jobs", "--json"}}})
    EXPECT_EQ(get(path), troupe(command).out) << path;
}

TEST_F(http, a_reader_needs_the_token_that_only_its_owner_may_read) {
  start();
  struct stat facts {};
  ASSERT_EQ(::stat((directory + "/keys/http.token").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_EQ(client_->Get("/api/v1/jobs")->status, 401);
  EXPECT_EQ(client_->Get("/api/v1/health")->status, 200);
}

TEST_F(http, a_log_is_read_in_pieces_and_followed_to_its_end) {
  start();
  auto job = submit(job_of("echo 'one \xc3\xa9'; echo two; read x < gate; echo three", 1, 1));
  ASSERT_TRUE(becomes(job, "running"));
  auto log = "/api/v1/jobs/" + job + "/tasks/worker:0/log";
  ASSERT_TRUE(eventually([&] { return tree(log)["text"] == "one \xc3\xa9\ntwo\n"; }));
  auto piece = tree(log + "?limit=5"); // in the middle of a character
  EXPECT_EQ(piece["text"], "one ");
  EXPECT_EQ(tree(log + "?offset=" + piece["next"].dump())["text"], "\xc3\xa9\ntwo\n");
  EXPECT_EQ(get(log + "/stream?grep=tw"), "two\n");
  std::string followed;
  auto got = client_->Get(log + "/stream?follow=true&offset=7", bearer_, [&](auto* data, size_t n) {
    followed.append(data, n);
    return followed != "two\n" || open_gate();
  });
  EXPECT_TRUE(got);
  EXPECT_EQ(followed, "two\nthree\n");
  EXPECT_TRUE(becomes(job, "succeeded"));
}

TEST_F(http, more_metrics_than_fit_into_an_answer_are_asked_for_in_parts) {
  start();
  // As its executor would, in hours.
  auto job = submit(job_of("seq 28000 | sed 's/.*/& a 1 &/' >> "
                           "$TROUPE_OUTPUT/worker-$TROUPE_TASK_INDEX.metrics",
                           4, 1));
  ASSERT_TRUE(becomes(job, "succeeded"));
  auto path = "/api/v1/jobs/" + job + "/metrics";
  EXPECT_NE(get(path, 400).find("more than 100000 samples: ask for one task"), std::string::npos);
  EXPECT_EQ(tree(path + "?task=worker:0")["tasks"].size(), 1u);
  EXPECT_EQ(tree(path + "?name=system/cpu_seconds")["tasks"].size(), 4u);
}

TEST_F(http, answers_go_on_when_the_master_does) {
  start();
  auto epoch = tree("/api/v1/cluster")["epoch"].get<int>();
  ASSERT_EQ(::kill(master_process(), SIGKILL), 0);
  EXPECT_TRUE(eventually([&] {
    auto got = client_->Get("/api/v1/cluster", bearer_);
    auto now = got ? json::parse(got->body, nullptr, false) : json{};
    return now.contains("epoch") && now["epoch"].get<int>() > epoch;
  }));
  EXPECT_EQ(troupe({"down"}).code, 0);
  EXPECT_FALSE(std::filesystem::exists(directory + "/http.address"));
}

TEST_F(http, a_ui_is_reached_behind_the_token) {
  start();
  auto script = write("ui.py", ui_script);
  auto file = write("ui.yaml", "name: ui\ntasks:\n  board:\n    ui: true\n    command: [python3, "
                                 + script + "]\n");
  auto job = submit(file);
  ASSERT_TRUE(becomes(job, "running"));
  auto path = "/proxy/" + job + "/board:0/";
  ASSERT_TRUE(eventually(
    [&] { return tree("/api/v1/jobs/" + job)["tasks"][0].value("ui", std::string{}) == path; }));
  ASSERT_TRUE(eventually([&] { return client_->Get(path, bearer_)->status == 200; }));
  EXPECT_EQ(get(path + "a?b=c"), "at /a?b=c of /proxy/" + job + "/board:0");
  // As a browser does: without a token, with one, and then with the cookie.
  EXPECT_EQ(client_->Get(path)->status, 401);
  EXPECT_EQ(client_->Get(path + "?token=wrong")->status, 401);
  auto first = client_->Get(path + "?token=" + token_);
  ASSERT_EQ(first->status, 303);
  EXPECT_EQ(first->get_header_value("location"), path);
  auto cookie = first->get_header_value("set-cookie");
  httplib::Headers with_cookie{{"Cookie", cookie.substr(0, cookie.find(';'))}};
  EXPECT_EQ(client_->Get(path, with_cookie)->status, 200);
  EXPECT_EQ(client_->Get("/api/v1/jobs", with_cookie)->status, 401);
  EXPECT_NE(troupe({"job", job}).out.find(path), std::string::npos);
  EXPECT_EQ(troupe({"kill", job}).code, 0);
  ASSERT_TRUE(becomes(job, "killed"));
  get(path, 404);
}

} // namespace troupe::e2e
