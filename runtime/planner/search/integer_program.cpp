#include "runtime/planner/search/integer_program.h"

#include <coin/Cbc_C_Interface.h>
#include <fmt/format.h>

#include <memory>

#include "runtime/base/errors.h"

namespace lingua {

int IntegerProgram::add_row(double low, double high) {
  row_low_.push_back(low);
  row_high_.push_back(high);
  return static_cast<int>(row_low_.size()) - 1;
}

int IntegerProgram::add_column(double cost, bool integer, double high) {
  starts_.push_back(static_cast<int>(rows_.size()));
  costs_.push_back(cost);
  integer_.push_back(integer);
  high_.push_back(high);
  return static_cast<int>(costs_.size()) - 1;
}

void IntegerProgram::entry(int row, double coefficient) {
  rows_.push_back(row);
  coefficients_.push_back(coefficient);
}

IntegerSolution IntegerProgram::solve(Seconds time_limit, double cutoff, int most_nodes) {
  const std::unique_ptr<Cbc_Model, void (*)(Cbc_Model*)> owner(Cbc_newModel(), Cbc_deleteModel);
  Cbc_Model* model = owner.get();
  Cbc_setLogLevel(model, 0);
  Cbc_setParameter(model, "log", "0");
  std::vector<CoinBigIndex> starts(starts_.begin(), starts_.end());
  starts.push_back(static_cast<CoinBigIndex>(rows_.size()));
  const std::vector<double> low(costs_.size(), 0);
  Cbc_loadProblem(model, static_cast<int>(costs_.size()), static_cast<int>(row_low_.size()),
                  starts.data(), rows_.data(), coefficients_.data(), low.data(), high_.data(),
                  costs_.data(), row_low_.data(), row_high_.data());
  for (std::size_t c = 0; c < integer_.size(); ++c) {
    if (integer_[c]) Cbc_setInteger(model, static_cast<int>(c));
  }
  Cbc_setParameter(model, "timeMode", "elapsed");
  Cbc_setParameter(model, "seconds", fmt::format("{:.3f}", time_limit.count()).c_str());
  if (most_nodes < kNoNodeLimit) Cbc_setMaximumNodes(model, most_nodes);
  if (cutoff < kNoLimit) Cbc_setCutoff(model, cutoff);
  Cbc_solve(model);
  LINGUA_CHECK(!Cbc_isContinuousUnbounded(model), "the integer program is unbounded");
  IntegerSolution solution;
  solution.nodes = Cbc_getNodeCount(model);
  solution.infeasible =
      Cbc_isProvenInfeasible(model) != 0 || Cbc_isInitialSolveProvenPrimalInfeasible(model) != 0;
  if (solution.infeasible) return solution;
  solution.proven = Cbc_isProvenOptimal(model) != 0;
  solution.bound = Cbc_getBestPossibleObjValue(model);
  if (const double* values = Cbc_bestSolution(model))
    solution.values.assign(values, values + costs_.size());
  return solution;
}

}  // namespace lingua
