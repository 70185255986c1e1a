#include "eval/csv.h"

#include <gtest/gtest.h>

#include "tests/eval/files.h"

namespace gestalt::eval {
namespace {

using Fields = std::vector<std::string>;

TEST(Csv, ReadsQuotesCommasNewlinesAndBothLineEnds) {
  const auto rows = parse_csv(
      "\xEF\xBB\xBF"
      "a,b,c\r\n\r\n1,\"x,\"\"y\"\"\n z\",3\n,,\n4,5,6");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].fields, (Fields{"a", "b", "c"}));
  EXPECT_EQ(rows[1].fields, (Fields{"1", "x,\"y\"\n z", "3"}));
  EXPECT_EQ(rows[1].line, 3);
  EXPECT_EQ(rows[2].fields, (Fields{"", "", ""}));
  EXPECT_EQ(rows[3].fields, (Fields{"4", "5", "6"}));
  EXPECT_EQ(rows[3].line, 6);
}

TEST(Csv, WhatIsWrittenIsReadBack) {
  for (const std::string text : {"plain", "a,b", "say \"so\"", "two\nlines", "", "\r\n"}) {
    const auto rows = parse_csv("first," + csv_field(text) + "\n");
    ASSERT_EQ(rows.size(), 1u) << text;
    EXPECT_EQ(rows[0].fields, (Fields{"first", text}));
  }
}

TEST(Csv, NamesTheLineOfABadQuote) {
  EXPECT_EQ(tests::thrown_by([] { parse_csv("a\nb,\"c\nd\n"); }),
            "line 2: a quote that is never closed");
  EXPECT_EQ(tests::thrown_by([] { parse_csv("a\n\"b\"c\n"); }),
            "line 2: text after a closing quote");
}

}  // namespace
}  // namespace gestalt::eval
