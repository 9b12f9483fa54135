# R, with the packages survey, effectsize, boot and rpact. It defines `answers(method, q)`; `inputs` are read before.

suppressMessages({library(survey); library(effectsize); library(rpact); library(boot)})
setLogLevel("DISABLED")

value <- function(q, name, default) if (is.null(q[[name]])) default else q[[name]]
level <- function(q) value(q, "confidence", 0.95)
table22 <- function(q) matrix(c(q$treatment[1], q$control[1], q$treatment[2] - q$treatment[1],
                                q$control[2] - q$control[1]), 2)

design_of <- function(q, sided) {
  types <- c(obrien_fleming = "asOF", pocock = "asP", kim_demets = "asKD", hwang_shih_decani = "asHSD")
  gamma <- if (is.null(q$parameter)) NA_real_ else q$parameter
  getDesignGroupSequential(kMax = length(q$information), informationRates = q$information, sided = sided,
                           alpha = if (sided == 1) 0.025 else 0.05, typeOfDesign = types[[q$spending]], gammaA = gamma)
}

linear <- function(visits, total) {
  design <- svydesign(ids = ~1, weights = ~1, data = data.frame(visits, total))
  found <- svyratio(~total, ~visits, design)
  c(coef(found)[[1]], SE(found)[[1]])
}

answers <- list(
  welch_t = function(q) {
    found <- t.test(q$treatment, q$control, conf.level = level(q))
    list(statistic = found$statistic, df = found$parameter, p_value = found$p.value, lower = found$conf.int[1],
         upper = found$conf.int[2], standard_error = found$stderr)
  },
  cohens_d = function(q) list(d = cohens_d(q$treatment, q$control)$Cohens_d, g = hedges_g(q$treatment, q$control)$Hedges_g),
  confidence_interval = function(q) {
    found <- t.test(q$values, conf.level = level(q))
    list(t_lower = found$conf.int[1], t_upper = found$conf.int[2])
  },
  two_proportion_z = function(q) {
    pairs <- rbind(q$treatment, q$control)
    found <- suppressWarnings(prop.test(pairs[, 1], pairs[, 2], conf.level = level(q), correct = FALSE))
    list(p_value = found$p.value, lower = found$conf.int[1], upper = found$conf.int[2])
  },
  wilson = function(q) {
    found <- suppressWarnings(prop.test(q$counts[1], q$counts[2], conf.level = level(q), correct = FALSE))
    list(lower = found$conf.int[1], upper = found$conf.int[2])
  },
  fisher_exact = function(q) list(p_value = fisher.test(table22(q))$p.value),
  holm = function(q) setNames(as.list(p.adjust(q$p, "holm")), paste0("p", seq_along(q$p) - 1)),
  benjamini_hochberg = function(q) setNames(as.list(p.adjust(q$p, "BH")), paste0("p", seq_along(q$p) - 1)),
  ratio_delta = function(q) {
    control <- linear(q$control_visits, q$control_total)
    treatment <- linear(q$treatment_visits, q$treatment_total)
    list(difference = treatment[1] - control[1], standard_error = sqrt(control[2]^2 + treatment[2]^2))
  },
  srm_chi2 = function(q) {
    found <- chisq.test(q$units, p = q$weights / sum(q$weights))
    list(statistic = found$statistic, p_value = found$p.value)
  },
  chance_to_beat = function(q) list(maximize = pnorm(q$difference / q$standard_error),
                                    minimize = pnorm(-q$difference / q$standard_error)),
  beta_binomial = function(q) {
    a <- q$prior + c(q$control[1], q$control[2] - q$control[1])
    b <- q$prior + c(q$treatment[1], q$treatment[2] - q$treatment[1])
    spread <- function(x) sqrt(x[1] * x[2] / sum(x)^2 / (sum(x) + 1))
    low <- max(0, a[1] / sum(a) - 12 * spread(a)); high <- min(1, a[1] / sum(a) + 12 * spread(a))
    better <- function(d) integrate(function(x) dbeta(x, a[1], a[2]) * pbeta(x + d, b[1], b[2], lower.tail = FALSE),
                                    low, high, rel.tol = 1e-11, abs.tol = 0, subdivisions = 2000)$value
    end <- function(p) uniroot(function(d) better(d) - p, c(-12, 12) * sqrt(spread(a)^2 + spread(b)^2)
                               + b[1] / sum(b) - a[1] / sum(a), tol = 1e-13)$root
    # Far out in a tail the range above does not hold what matters.
    practical <- if (better(0.01) > 1e-12) list(chance_of_practical = better(0.01)) else list()
    c(list(chance_to_beat = better(0), lower = end(0.975), upper = end(0.025)), practical)
  },
  group_sequential = function(q) {
    one <- design_of(q, 1); two <- design_of(q, 2)
    found <- c(one$criticalValues, one$alphaSpent, one$stageLevels, two$criticalValues)
    looks <- seq_along(q$information) - 1
    setNames(as.list(found), c(paste0("z", looks), paste0("spent", looks), paste0("nominal", looks),
                               paste0("two_sided_z", looks)))
  },
  group_sequential_size = function(q) {
    types <- c(obrien_fleming = "asOF", pocock = "asP", kim_demets = "asKD")
    design <- getDesignGroupSequential(kMax = length(q$information), informationRates = q$information, sided = 1,
                                       alpha = 0.025, beta = 1 - q$power, typeOfDesign = types[[q$spending]],
                                       gammaA = if (q$parameter == 0) NA_real_ else q$parameter)
    list(shift = getDesignCharacteristics(design)$shift, power = q$power)
  },
  crossing_probability = function(q) {
    found <- getPowerMeans(design_of(q, 1), groups = 1, normalApproximation = TRUE, alternative = q$effect, stDev = 1,
                           maxNumberOfSubjects = q$n)$rejectPerStage
    setNames(as.list(found), paste0("exit", seq_along(found) - 1))
  },
  stage_wise = function(q) {
    design <- design_of(list(information = seq_len(q$stages) / q$stages, spending = q$spending), 1)
    data <- getDataset(n = q$n, means = q$means, stDevs = rep(1, length(q$n)))
    found <- getAnalysisResults(design, data, normalApproximation = TRUE, thetaH0 = 0)
    last <- length(q$n)
    list(p_value = found$finalPValues[last], lower = found$finalConfidenceIntervalLowerBounds[last],
         upper = found$finalConfidenceIntervalUpperBounds[last], median_unbiased = found$medianUnbiasedEstimates[last])
  },
  bootstrap = function(q) {
    set.seed(1)
    found <- boot(q$values, function(x, i) mean(x[i]), R = 99999)
    ends <- boot.ci(found, type = c("perc", "bca"))
    list(percentile_lower = ends$percent[4], percentile_upper = ends$percent[5], bca_lower = ends$bca[4],
         bca_upper = ends$bca[5], standard_error = sd(found$t))
  },
  mde_proportion = function(q)
    list(mde = power.prop.test(n = q$units, p1 = q$rate, power = value(q, "power", 0.8), tol = 1e-12)$p2 - q$rate),
  power_mean = function(q) if (value(q, "allocation", 1) != 1) list() else
    list(power = power.t.test(n = q$units, delta = q$difference, sd = q$sd, sig.level = value(q, "alpha", 0.05),
                              strict = TRUE)$power),
  sample_size_mean = function(q) if (value(q, "allocation", 1) != 1) list() else
    list(units = ceiling(power.t.test(delta = q$difference, sd = q$sd, sig.level = value(q, "alpha", 0.05),
                                      power = value(q, "power", 0.8), strict = TRUE)$n)),
  mde_mean = function(q) if (value(q, "allocation", 1) != 1) list() else
    list(mde = power.t.test(n = q$units, sd = q$sd, power = value(q, "power", 0.8), strict = TRUE, tol = 1e-12)$delta),
  power_proportion = function(q) if (value(q, "allocation", 1) != 1) list() else
    list(power = power.prop.test(n = q$units, p1 = q$rate, p2 = q$other, sig.level = value(q, "alpha", 0.05))$power),
  sample_size_proportion = function(q)
    list(units = ceiling(power.prop.test(p1 = q$rate, p2 = q$other, power = value(q, "power", 0.8), tol = 1e-10)$n)),
  quantile_difference = function(q) {
    sample <- function(arm) arm[1] + arm[2] * (seq_len(arm[3]) - 0.5)
    z <- qnorm((1 + level(q)) / 2)
    ends <- function(x) quantile(x, q$q + c(0, -1, 1) * z * sqrt(q$q * (1 - q$q) / length(x)), type = 7, names = FALSE)
    control <- ends(sample(q$control)); treatment <- ends(sample(q$treatment))
    difference <- treatment[1] - control[1]
    list(control = control[1], treatment = treatment[1], difference = difference,
         lower = difference - sqrt((treatment[1] - treatment[2])^2 + (control[3] - control[1])^2),
         upper = difference + sqrt((treatment[3] - treatment[1])^2 + (control[1] - control[2])^2))
  },
  t_tail = function(q) list(p_value = 2 * pt(q$statistic, q$df, lower.tail = FALSE))
)

for (method in names(answers)) for (name in names(inputs[[method]])) {
  found <- answers[[method]](inputs[[method]][[name]])
  for (figure in names(found)) cat(sprintf("%s/%s/%s\t%.17g\n", method, name, figure, as.numeric(found[[figure]])))
}
versions <- c(R = as.character(getRversion()),
              sapply(c("survey", "effectsize", "rpact", "boot"), function(name) as.character(packageVersion(name))))
cat(sprintf("#%s\t%s\n", names(versions), versions), sep = "")
