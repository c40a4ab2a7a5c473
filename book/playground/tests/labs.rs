//! Each lab in the module is the lab.

extern crate lab1_solution as lab1;
extern crate lab2_solution as lab2;
extern crate lab3_solution as lab3;
extern crate lab4_solution as lab4;
extern crate lab5_solution as lab5;

use playground::list;

#[path = "../../../labs/lab1-fetch/tests/checks/mod.rs"]
mod lab1_checks;
#[path = "../../../labs/lab2-long-polling/tests/checks/mod.rs"]
mod lab2_checks;
#[path = "../../../labs/lab3-sse/tests/checks/mod.rs"]
mod lab3_checks;
#[path = "../../../labs/lab4-fetch-stream/tests/checks/mod.rs"]
mod lab4_checks;
#[path = "../../../labs/lab5-websocket/tests/checks/mod.rs"]
mod lab5_checks;

#[test]
fn what_the_module_says_of_a_lab_is_what_the_lab_says() {
    let labs =
        [&lab1_checks::LAB, &lab2_checks::LAB, &lab3_checks::LAB, &lab4_checks::LAB, &lab5_checks::LAB];
    assert_eq!(list().len(), labs.len(), "every lab is in the module");
    for lab in labs {
        let here = list().into_iter().find(|listed| listed.name == lab.name);
        let here = here.unwrap_or_else(|| panic!("{} is not in the module", lab.name));
        assert_eq!(
            (here.number, here.title, here.folder, here.chapter),
            (lab.number, lab.title, lab.folder, lab.chapter)
        );
        let of_the_client =
            lab.checks.iter().filter(|check| check.todo.is_some() && check.file == "web/client.js");
        let there: Vec<_> = of_the_client.map(|check| check.name).collect();
        let here: Vec<_> = here.checks.iter().map(|check| check.name).collect();
        assert_eq!(here, there, "the checks of {}'s client", lab.name);
    }
}
