//! What one can begin to play with.

use naru_lesson::Text;

/// Something to begin with.
#[derive(Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it is, in Korean and in English.
    says: (&'static str, &'static str),
    /// What is typed.
    pub commands: &'static str,
}

impl Preset {
    /// What it is.
    pub fn says(&self) -> Text {
        Text { ko: self.says.0.to_owned(), en: self.says.1.to_owned() }
    }
}

/// All of them.
pub const PRESETS: [Preset; 4] = [
    Preset {
        name: "web",
        says: (
            "파드 셋으로 도는 웹 서버와 그 앞의 서비스",
            "A web server in three pods, with a service in front of them",
        ),
        commands: "kubectl create deployment web --image=nginx --replicas=3\n\
                   kubectl expose deployment web --port=80",
    },
    Preset {
        name: "rollout",
        says: ("이미지를 바꿔 가며 롤아웃을 지켜봅니다", "Change an image and watch it roll out"),
        commands: "kubectl create deployment app --image=nginx:1.26 --replicas=4\n\
                   kubectl rollout status deployment app\n\
                   kubectl set image deployment app nginx=nginx:1.27\n\
                   kubectl rollout status deployment app",
    },
    Preset {
        name: "broken",
        says: (
            "이미지 이름이 틀린 파드: 무엇이 문제인지 찾아보세요",
            "A pod whose image has a wrong name: find out what is wrong",
        ),
        commands: "kubectl run broken --image=nginx:no-such-tag",
    },
    Preset {
        name: "node-loss",
        says: (
            "노드 하나가 꺼지면 파드는 어떻게 될까요? 시간을 60배로 돌려 보세요",
            "What becomes of the pods when a node goes off? Let time run 60 times as fast",
        ),
        commands: "kubectl create deployment web --image=nginx --replicas=4\n\
                   kubectl rollout status deployment web\n\
                   naru fault stop node/worker",
    },
];
