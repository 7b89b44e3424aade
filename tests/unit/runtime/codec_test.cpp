#include "runtime/base/limits.hpp"
#include "runtime/codec.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

frame_view view_of(const flatbuffers::FlatBufferBuilder& builder) {
  return std::as_bytes(std::span{builder.GetBufferPointer(), builder.GetSize()});
}

// A submission of one task whose command is the same word again and again.
void seal_shared(flatbuffers::FlatBufferBuilder& builder, size_t words, size_t length) {
  auto word = builder.CreateString(std::string(length, 'a'));
  auto command = builder.CreateVector(std::vector(words, word));
  task_typeBuilder type{builder};
  type.add_command(command);
  auto types = builder.CreateVector(std::vector(1, type.Finish()));
  job_specBuilder spec{builder};
  spec.add_tasks(types);
  auto made = spec.Finish();
  submit_jobBuilder submit{builder};
  submit.add_spec(made);
  auto body = submit.Finish().Union();
  envelopeBuilder out{builder};
  out.add_body(body);
  out.add_body_type(payload::submit_job);
  builder.Finish(out.Finish());
}

TEST(Codec, RefusesAFrameThatUsesItsPartsManyTimes) {
  flatbuffers::FlatBufferBuilder builder;
  seal_shared(builder, 100'000, 500'000); // 900 kB that would unpack to 50 GB
  ASSERT_LT(builder.GetSize(), limits::frame_size_max);
  auto opened = open_frame(view_of(builder));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::corrupt);
}

TEST(Codec, OpensAFrameOfTheLargestSize) {
  submit_job_msg job;
  job.spec = std::make_unique<job_spec_msg>();
  auto type = std::make_unique<task_type_msg>();
  type->command.assign(60'000, "word");
  job.spec->tasks.push_back(std::move(type));
  flatbuffers::FlatBufferBuilder builder;
  auto frame = seal(builder, {}, codec_of<submit_job_msg>, caf::make_message(job));
  ASSERT_LT(frame.size(), limits::frame_size_max);
  ASSERT_GT(frame.size(), limits::frame_size_max * 9 / 10);
  auto opened = open_frame(frame);
  ASSERT_TRUE(opened) << opened.error().text;
  submit_job_msg again;
  (*opened)->body_as_submit_job()->UnPackTo(&again);
  EXPECT_EQ(again, job);
}

} // namespace
} // namespace troupe
