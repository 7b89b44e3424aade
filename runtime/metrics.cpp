#include "runtime/metrics.hpp"

#include "runtime/bridge.hpp"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>

namespace troupe {

namespace {

prometheus::ClientMetric metric_of(const metric_family& family, const metric_value& from) {
  prometheus::ClientMetric metric;
  for (auto& [name, value] : from.labels)
    metric.label.push_back({name, value});
  (family.counter ? metric.counter.value : metric.gauge.value) = from.value;
  return metric;
}

class source final : public prometheus::Collectable {
public:
  explicit source(metrics_endpoint::collect_function collect) : collect_(std::move(collect)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> out;
    for (auto& family : collect_()) {
      auto& made = out.emplace_back();
      made.name = family.name;
      made.help = family.help;
      made.type = family.counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
      for (auto& each : family.values)
        made.metric.push_back(metric_of(family, each));
    }
    return out;
  }

private:
  metrics_endpoint::collect_function collect_;
};

class exposed final : public metrics_endpoint {
public:
  exposed(const std::string& address, collect_function collect)
    : source_(std::make_shared<source>(std::move(collect))), exposer_(address, 1) {
    exposer_.RegisterCollectable(source_);
  }

private:
  std::shared_ptr<source> source_;
  prometheus::Exposer exposer_;
};

metric_family single(const char* name, const char* help, bool counter, uint64_t value) {
  return {name, help, counter, {{{}, static_cast<double>(value)}}};
}

} // namespace

std::vector<metric_family> families_of(const bridge_statistics& x) {
  metric_family frames{"troupe_frames_total", "Frames between processes", true, {}};
  frames.values = {{{{"direction", "in"}}, static_cast<double>(x.frames_in)},
                   {{{"direction", "out"}}, static_cast<double>(x.frames_out)}};
  metric_family bytes{"troupe_bytes_total", "Bytes of frames between processes", true, {}};
  bytes.values = {{{{"direction", "in"}}, static_cast<double>(x.bytes_in)},
                  {{{"direction", "out"}}, static_cast<double>(x.bytes_out)}};
  return {single("troupe_links", "Links that are up", false, x.links),
          single("troupe_links_lost_total", "Links that ended unasked", true, x.links_lost),
          single("troupe_requests_open", "Requests without an answer yet", false, x.requests_open),
          single("troupe_held_bytes", "Bytes that wait for a peer's credit", false, x.held_bytes),
          std::move(frames),
          std::move(bytes)};
}

result<std::unique_ptr<metrics_endpoint>> metrics_endpoint::open(const std::string& address,
                                                                 collect_function collect) {
  auto full = address.find(':') == std::string::npos ? "127.0.0.1:" + address : address;
  try {
    return std::unique_ptr<metrics_endpoint>{std::make_unique<exposed>(full, std::move(collect))};
  } catch (const std::exception&) {
    return {errc::invalid, "cannot serve metrics at '" + address
                             + "': it is no HOST:PORT of this machine, or it is in use"};
  }
}

} // namespace troupe
