// What a monitoring system scrapes: GET /metrics at an address of this process, in Prometheus' text
// format.
//
//   auto endpoint = metrics_endpoint::open("127.0.0.1:9100", [&] { return families; });
//
// `collect` runs on a thread of the endpoint, once per scrape, and never after the endpoint's end.
#pragma once

#include "runtime/base/result.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

struct bridge_statistics;

struct metric_value {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

// Names are Prometheus': `troupe_links`; those of counters end with `_total`.
struct metric_family {
  std::string name;
  std::string help;
  bool counter = false; // only grows; else a gauge
  std::vector<metric_value> values;
};

// What every process with a bridge has to tell.
std::vector<metric_family> families_of(const bridge_statistics& x);

class metrics_endpoint {
public:
  using collect_function = std::function<std::vector<metric_family>()>;

  virtual ~metrics_endpoint() = default;

  // `address`: HOST:PORT, or PORT for 127.0.0.1. errc::invalid if it cannot listen there.
  static result<std::unique_ptr<metrics_endpoint>> open(const std::string& address,
                                                        collect_function collect);
};

} // namespace troupe
