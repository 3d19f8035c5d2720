#pragma once
// The results of a sweep as one HTML file that works without a network: plots by any axis with 95 % intervals,
// all points as a table to sort and filter, failures with their reasons, pictures, and the command behind each
// number.
//
// Safety: titles, names, reasons, the spec and pictures may hold anything. They reach the page as text or, pictures,
// as images; the page forbids itself to load anything.
// Size: about 70 kB and the data; 10,000 rows of 15 columns make some 2 MB and stay quick to use.
// Determinism: the same values give the same text.

#include <iosfwd>
#include <string>
#include <vector>

#include "runtime/report/result_table.h"

namespace lingua {

// What stands above the plot: the question, the method, figures, timelines.
struct PageSection {
  std::string title = {};
  std::string text = {};  // an empty line parts paragraphs
  std::vector<TitledPicture> pictures = {};
};

struct PageOptions {
  std::vector<PageSection> sections = {};
  // What the plot shows first; where empty, the first axes that vary, the first result, and of each other axis its
  // first value.
  PlotChoice first = {};
  bool logarithmic_x = false;
  bool logarithmic_y = false;
};

// REQUIRES: each row has a value for each column.
void write_result_page(std::ostream& out, const ResultTable& table,
                       const PageOptions& options = {});
std::string result_page(const ResultTable& table, const PageOptions& options = {});

}  // namespace lingua
