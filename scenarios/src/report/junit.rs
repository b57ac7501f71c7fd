//! The report as JUnit XML, as CI systems read it.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{Report, Verdict, human};

/// All reports as one test suite.
///
/// # Errors
/// What the XML writer says.
pub fn junit(reports: &[Report]) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new("scenarios");
    for report in reports {
        let message = report.reason.as_ref().map(|reason| reason.message.clone()).unwrap_or_default();
        let status = match report.verdict {
            Verdict::Pass => TestCaseStatus::success(),
            Verdict::Fail => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(message).set_description(human(report, true));
                status
            }
            Verdict::Skipped => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(message);
                status
            }
        };
        let mut case = TestCase::new(report.name.clone(), status);
        case.set_classname(report.board.clone()).set_time(Duration::from_secs_f64(report.wall_time.max(0.0)));
        suite.add_test_case(case);
    }
    let mut whole = quick_junit::Report::new("twinboard");
    whole.add_test_suite(suite);
    whole.to_string()
}
