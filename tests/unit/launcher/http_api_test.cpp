#include "launcher/filters.hpp"
#include "launcher/http_answers.hpp"
#include "launcher/http_api.hpp"
#include "tests/support/raw_http.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>

namespace troupe::launcher {
namespace {

using json = nlohmann::json;

const std::string token = "the-token";

// Beside no cluster: it answers all that needs none.
class HttpApi : public ::testing::Test {
protected:
  std::string ask(const std::string& target, const std::string& method = "GET",
                  const std::string& given = token) {
    return testing::ask_raw(server_->address(), method + " " + target
                                                  + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                                                    "Authorization: Bearer "
                                                  + given + "\r\n\r\n");
  }

  int status_of(const std::string& target, const std::string& method = "GET",
                const std::string& given = token) {
    auto answer = ask(target, method, given);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 ")) << answer;
    auto body = answer.substr(answer.find("\r\n\r\n") + 4);
    auto code = std::atoi(answer.c_str() + 9);
    auto tree = json::parse(body, nullptr, false);
    if (method != "HEAD") {
      EXPECT_FALSE(tree.is_discarded()) << answer;
      EXPECT_EQ(code >= 400, tree.contains("error")) << answer;
    }
    return code;
  }

  scratch_directory scratch_;
  client_pool clients_{scratch_.path, 2};
  http_api api_{clients_, token};
  std::unique_ptr<http_server> server_
    = std::move(*http_server::start({"127.0.0.1:0"}, [this](http_exchange& x) { api_.answer(x); }));
};

TEST_F(HttpApi, AsksForTheToken) {
  for (auto& each : api_paths()) {
    auto open = each.path == "/openapi.json" || each.path == "/api/v1/health";
    EXPECT_EQ(status_of(std::string{each.path}, "GET", "the-tokem"), open ? 200 : 401) << each.path;
  }
  for (auto* given : {"", "the-token2", "the-toke"})
    EXPECT_EQ(status_of("/api/v1/jobs", "GET", given), 401) << given;
  EXPECT_EQ(status_of("/none", "GET", ""), 401);
  EXPECT_EQ(status_of("/api/v1/jobs?token=the-token", "GET", ""), 401);
}

TEST_F(HttpApi, SaysWhatIsWrongWithAQuestion) {
  struct row {
    int status;
    std::string target;
  };
  for (auto& [status, target] : std::vector<row>{
         {404, "/"},
         {404, "/api/v1"},
         {404, "/api/v1/jobs/"},
         {404, "/api/v1/jobs/1/"},
         {404, "/api/v1/jobs/1/tasks/worker:0"},
         {404, "/api/v2/jobs"},
         {404, "/api/v1/jobs%2f1"},
         {400, "/api/v1/jobs?unknown=1"},
         {400, "/api/v1/jobs?limit=1&limit=2"},
         {400, "/api/v1/jobs/%zz"},
         {400, "/api/v1/jobs/%00"},
         {503, "/api/v1/jobs"},
         {503, "/api/v1/nodes"},
         {503, "/api/v1/jobs/1/tasks/worker%3A0/log/stream"},
       })
    EXPECT_EQ(status_of(target), status) << target;
  for (auto* method : {"POST", "PUT", "DELETE", "OPTIONS", "get"})
    EXPECT_EQ(status_of("/api/v1/jobs", method), 405) << method;
  EXPECT_EQ(status_of("/openapi.json", "HEAD"), 200);
}

TEST_F(HttpApi, ServesWhatItsDescriptionNames) {
  auto answer = ask("/openapi.json");
  auto tree = json::parse(answer.substr(answer.find("\r\n\r\n") + 4), nullptr, false);
  ASSERT_FALSE(tree.is_discarded());
  std::set<std::string> described;
  for (auto& [path, operations] : tree["paths"].items()) {
    EXPECT_EQ(operations.size(), 1u) << path;
    described.insert(path);
    for (auto& each : operations["get"]["parameters"])
      if (each["in"] == "query")
        described.insert(path + "?" + each["name"].get<std::string>());
  }
  std::set<std::string> served;
  for (auto& each : api_paths()) {
    served.insert(std::string{each.path});
    for (auto& name : each.parameters)
      served.insert(std::string{each.path}.append("?").append(name));
  }
  EXPECT_EQ(described, served);
}

TEST(HttpAnswers, ReadsTheNamesOfTasksAndJobs) {
  auto task = read_task("worker:7");
  ASSERT_TRUE(task);
  EXPECT_EQ(task->type, "worker");
  EXPECT_EQ(task->index, 7);
  EXPECT_EQ(read_task("worker")->index, -1);
  for (auto* name : {"worker:", "worker:x", "worker:-1", "a:b:7", "worker:2147483648"})
    EXPECT_FALSE(read_task(name)) << name;
  for (auto* number : {"", "0", "-1", "1x", "99999999999999999999"})
    EXPECT_FALSE(job_named(number)) << number;
}

} // namespace
} // namespace troupe::launcher
