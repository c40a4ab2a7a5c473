//! Lab 3 in the module is the lab.

extern crate lab3_solution as lab3;

use playground::list;

#[path = "../../../labs/lab3-sse/tests/checks/mod.rs"]
mod checks;

#[test]
fn what_the_module_says_of_lab_3_is_what_the_lab_says() {
    let lab = checks::LAB;
    let here = list().into_iter().find(|listed| listed.name == lab.name).expect("lab 3 is in the module");
    assert_eq!(
        (here.number, here.title, here.folder, here.chapter),
        (lab.number, lab.title, lab.folder, lab.chapter)
    );
    let of_the_client =
        lab.checks.iter().filter(|check| check.todo.is_some() && check.file == "web/client.js");
    let there: Vec<_> = of_the_client.map(|check| check.name).collect();
    let here: Vec<_> = here.checks.iter().map(|check| check.name).collect();
    assert_eq!(here, there, "the checks of the client");
}
