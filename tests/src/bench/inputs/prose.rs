//! Discharge notes of nobody: sentences as clinicians write them, put together from lists of words with numbers of their
//! own. They repeat themselves about as much as real notes do, which is what a codec sees.

use super::Random;

const COMPLAINTS: [&str; 24] = [
    "chest pain",
    "shortness of breath",
    "abdominal pain",
    "fever and chills",
    "productive cough",
    "lower back pain",
    "dizziness",
    "syncope",
    "palpitations",
    "nausea and vomiting",
    "headache",
    "left-sided weakness",
    "fatigue",
    "haematuria",
    "swelling of both legs",
    "weight loss",
    "jaundice",
    "a fall at home",
    "confusion",
    "epistaxis",
    "blurred vision",
    "diarrhoea",
    "a rash on the trunk",
    "pain in the right knee",
];
const FINDINGS: [&str; 30] = [
    "crackles at both bases",
    "a soft systolic murmur over the apex",
    "tenderness in the right iliac fossa",
    "no focal neurological deficit",
    "pitting oedema up to the knees",
    "reduced breath sounds on the left",
    "a regular rhythm without murmurs",
    "dry mucous membranes",
    "an enlarged liver two fingers below the costal margin",
    "full strength in all extremities",
    "mild conjunctival pallor",
    "warm extremities with capillary refill below 2 s",
    "bilateral wheeze",
    "no lymphadenopathy",
    "a positive straight leg raise at 40 degrees",
    "shifting dullness",
    "normal bowel sounds",
    "a well-healed midline scar",
    "a 3 cm erythematous plaque",
    "no jugular venous distension",
    "a displaced apex beat",
    "spider naevi",
    "asymmetric reflexes",
    "an effusion of the knee",
    "clear lung fields",
    "decreased sensation in a stocking distribution",
    "no signs of meningism",
    "a palpable spleen tip",
    "a faint carotid bruit on the right",
    "a broad-based gait",
];
const DRUGS: [&str; 32] = [
    "metoprolol",
    "ramipril",
    "atorvastatin",
    "apixaban",
    "furosemide",
    "spironolactone",
    "metformin",
    "insulin glargine",
    "amoxicillin/clavulanate",
    "ceftriaxone",
    "azithromycin",
    "piperacillin/tazobactam",
    "pantoprazole",
    "enoxaparin",
    "acetylsalicylic acid",
    "clopidogrel",
    "salbutamol",
    "prednisolone",
    "levothyroxine",
    "amlodipine",
    "paracetamol",
    "morphine",
    "ondansetron",
    "tamsulosin",
    "bisoprolol",
    "empagliflozin",
    "sertraline",
    "levetiracetam",
    "allopurinol",
    "vancomycin",
    "digoxin",
    "colecalciferol",
];
const DIAGNOSES: [&str; 26] = [
    "community-acquired pneumonia",
    "decompensated heart failure",
    "non-ST-elevation myocardial infarction",
    "atrial fibrillation with rapid ventricular response",
    "acute cholecystitis",
    "exacerbation of COPD",
    "pyelonephritis",
    "transient ischaemic attack",
    "deep vein thrombosis of the left leg",
    "acute kidney injury on chronic kidney disease",
    "upper gastrointestinal bleeding",
    "type 2 diabetes with poor control",
    "cellulitis",
    "vasovagal syncope",
    "lumbar disc herniation",
    "iron deficiency anaemia",
    "hypertensive urgency",
    "acute pancreatitis",
    "gout",
    "pulmonary embolism",
    "benign positional vertigo",
    "migraine",
    "hyponatraemia",
    "diverticulitis",
    "bronchial asthma",
    "osteoarthritis of the knee",
];
const STUDIES: [&str; 16] = [
    "chest radiograph",
    "CT of the abdomen with contrast",
    "transthoracic echocardiogram",
    "12-lead ECG",
    "ultrasound of the kidneys",
    "MRI of the brain",
    "CT angiogram of the pulmonary arteries",
    "gastroscopy",
    "duplex of the leg veins",
    "coronary angiogram",
    "spirometry",
    "24-hour Holter",
    "lumbar MRI",
    "colonoscopy",
    "carotid duplex",
    "CT of the head without contrast",
];
const RESULTS: [&str; 22] = [
    "no acute pathology",
    "a left lower lobe infiltrate",
    "an ejection fraction of",
    "sinus rhythm at a rate of",
    "mild hydronephrosis on the right",
    "no restricted diffusion",
    "a filling defect in a segmental artery",
    "an ulcer of the antrum, Forrest III",
    "a non-occlusive thrombus of the popliteal vein",
    "moderate mitral regurgitation",
    "single-vessel disease",
    "an obstructive pattern",
    "cardiomegaly with redistribution",
    "gallstones without wall thickening",
    "a lesion of the liver that should be followed up",
    "degenerative changes",
    "no significant stenosis",
    "a small pericardial effusion",
    "old lacunar infarcts",
    "thickening of the sigmoid",
    "atelectasis at both bases",
    "a nodule of 6 mm in the right upper lobe",
];
const LABS: [(&str, usize, usize, &str); 18] = [
    ("haemoglobin", 70, 170, "g/L"),
    ("white cells", 3, 25, "x10^9/L"),
    ("platelets", 80, 450, "x10^9/L"),
    ("sodium", 122, 148, "mmol/L"),
    ("potassium", 3, 6, "mmol/L"),
    ("creatinine", 45, 380, "umol/L"),
    ("urea", 3, 30, "mmol/L"),
    ("CRP", 1, 320, "mg/L"),
    ("troponin T", 3, 900, "ng/L"),
    ("NT-proBNP", 40, 18_000, "ng/L"),
    ("ALT", 8, 400, "U/L"),
    ("bilirubin", 4, 90, "umol/L"),
    ("lipase", 12, 1_400, "U/L"),
    ("glucose", 4, 26, "mmol/L"),
    ("HbA1c", 31, 110, "mmol/mol"),
    ("INR", 1, 4, ""),
    ("D-dimer", 180, 6_200, "ug/L"),
    ("ferritin", 6, 900, "ug/L"),
];
const COURSES: [&str; 20] = [
    "The fever settled within two days",
    "Renal function recovered with fluids",
    "The pain was controlled with simple analgesia",
    "Oxygen could be weaned",
    "The rate was controlled on oral therapy",
    "A second set of cultures stayed negative",
    "The patient mobilised with physiotherapy",
    "Diuresis was good and the weight fell",
    "No further bleeding was seen",
    "The neurologists advised against thrombolysis",
    "Surgery was deferred after discussion with the family",
    "Antibiotics were switched to oral",
    "The catheter was removed and voiding was normal",
    "Diet was built up without nausea",
    "The wound was reviewed and is clean",
    "Anticoagulation was discussed and started",
    "Delirium resolved with reorientation",
    "Inhaler technique was reviewed by the nurse",
    "The diabetes team adjusted the regimen",
    "Telemetry showed no pauses",
];

/// Of two words in three of a narrative, the first halves and the second halves of the third.
const COMMON: [&str; 64] = [
    "the",
    "of",
    "and",
    "with",
    "was",
    "on",
    "no",
    "to",
    "in",
    "patient",
    "for",
    "has",
    "after",
    "had",
    "not",
    "at",
    "by",
    "since",
    "without",
    "reports",
    "denies",
    "noted",
    "mild",
    "severe",
    "chronic",
    "acute",
    "left",
    "right",
    "which",
    "from",
    "until",
    "during",
    "before",
    "treated",
    "known",
    "new",
    "days",
    "again",
    "under",
    "stable",
    "increasing",
    "her",
    "his",
    "mother",
    "father",
    "lives",
    "alone",
    "works",
    "smokes",
    "stopped",
    "daily",
    "suspected",
    "excluded",
    "because",
    "worse",
    "better",
    "night",
    "walking",
    "rest",
    "seen",
    "advised",
    "declined",
    "surgery",
    "allergy",
];
const STEMS: [&str; 44] = [
    "cardio",
    "nephro",
    "hepato",
    "gastro",
    "neuro",
    "myo",
    "osteo",
    "arthro",
    "dermato",
    "haemato",
    "pneumo",
    "broncho",
    "rhino",
    "oto",
    "cysto",
    "pyelo",
    "chole",
    "pancreato",
    "entero",
    "colo",
    "procto",
    "thyro",
    "adreno",
    "cephalo",
    "spondylo",
    "chondro",
    "tendo",
    "vaso",
    "phlebo",
    "lympho",
    "spleno",
    "uretero",
    "prostato",
    "mammo",
    "cranio",
    "encephalo",
    "myelo",
    "radiculo",
    "kerato",
    "retino",
    "blepharo",
    "stomato",
    "glosso",
    "tracheo",
];
const ENDINGS: [&str; 30] = [
    "pathy",
    "graphy",
    "scopy",
    "megaly",
    "tomy",
    "ectomy",
    "plasty",
    "lithiasis",
    "sclerosis",
    "genic",
    "metry",
    "ptosis",
    "rrhagia",
    "rrhoea",
    "spasm",
    "stenosis",
    "lysis",
    "malacia",
    "dynia",
    "cele",
    "logical",
    "vascular",
    "toxic",
    "cyte",
    "trophy",
    "plegia",
    "ectasia",
    "pexy",
    "centesis",
    "itis",
];

/// Notes, one after the other, of exactly so many bytes.
pub(super) fn discharge_notes(len: usize) -> Vec<u8> {
    let mut random = Random::new(1);
    let mut text = String::with_capacity(len + 4_096);
    while text.len() < len {
        note(&mut random, &mut text);
    }
    // All of it is ASCII, so it can be cut anywhere.
    text.truncate(len);
    text.into_bytes()
}

fn note(random: &mut Random, text: &mut String) {
    let between = |random: &mut Random, low: usize, high: usize| low + random.below(high - low);
    let (age, days) = (between(random, 19, 96), between(random, 1, 21));
    let sex = random.one_of(&["man", "woman"]);
    let (day, month) = (between(random, 1, 29), between(random, 1, 13));
    let case = random.next() >> 24;
    text.push_str(&format!(
        "DISCHARGE SUMMARY  case {case:010x}  admitted 2026-{month:02}-{day:02}, {days} days\n\
         {age}-year-old {sex} who presented with {} for {} {}. ",
        random.one_of(&COMPLAINTS),
        between(random, 1, 15),
        random.one_of(&["hours", "days", "days", "weeks"]),
    ));
    for _ in 0..random.below(3) {
        text.push_str(&format!(
            "{} {} since {}. ",
            random.one_of(&["Known", "Background of", "History of", "Previously diagnosed"]),
            random.one_of(&DIAGNOSES),
            between(random, 1984, 2026),
        ));
    }
    narrative(random, text);
    text.push_str(&format!(
        "\nOn examination {}/{} mmHg, pulse {}, {}.{} C, saturation {}% on {}. ",
        between(random, 88, 205),
        between(random, 45, 115),
        between(random, 44, 152),
        between(random, 35, 40),
        random.below(10),
        between(random, 82, 100),
        random.one_of(&["room air", "2 L", "4 L", "a venturi mask"]),
    ));
    for _ in 0..=random.below(4) {
        let start = random.one_of(&["There was", "There were", "We found", "Examination showed", "Noted:"]);
        text.push_str(&format!("{start} {}. ", random.one_of(&FINDINGS)));
    }
    text.push_str("\nLaboratory: ");
    for _ in 0..4 + random.below(8) {
        let (name, low, high, unit) = LABS[random.below(LABS.len())];
        let value = between(random, low, high);
        text.push_str(&format!("{name} {value}.{} {unit}; ", random.below(10)));
    }
    text.push('\n');
    for _ in 0..=random.below(3) {
        text.push_str(&format!(
            "{} on 2026-{month:02}-{:02}: {} ({}). ",
            random.one_of(&STUDIES),
            between(random, 1, 29),
            random.one_of(&RESULTS),
            between(random, 20, 99),
        ));
    }
    text.push_str(&format!("\nDiagnosis: {}. ", random.one_of(&DIAGNOSES)));
    for _ in 0..1 + random.below(4) {
        text.push_str(&format!(
            "{} on day {}. ",
            random.one_of(&COURSES),
            between(random, 1, days + 2)
        ));
    }
    text.push_str("\nMedication: ");
    for _ in 0..2 + random.below(7) {
        text.push_str(&format!(
            "{} {} mg {}; ",
            random.one_of(&DRUGS),
            [2, 5, 10, 20, 25, 40, 50, 75, 100, 125, 250, 500, 850, 1_000][random.below(14)],
            random.one_of(&[
                "once daily",
                "twice daily",
                "1-0-0",
                "1-0-1",
                "0-0-1",
                "at night",
                "as needed",
                "for 5 days"
            ]),
        ));
    }
    text.push_str(&format!(
        "\nFollow-up in {} weeks with the {}; {}.\n\n",
        between(random, 1, 13),
        random.one_of(&[
            "general practitioner",
            "cardiologist",
            "nephrologist",
            "outpatient clinic",
            "surgeon"
        ]),
        random.one_of(&[
            "please check potassium and creatinine",
            "repeat imaging was arranged",
            "the driving ban was explained",
            "results of histology are pending",
            "the plan was discussed with the family",
            "no further appointments were made",
        ]),
    ));
}

/// Words in no order that means anything: what makes a real note's history hard to compress is that it was never said
/// before.
fn narrative(random: &mut Random, text: &mut String) {
    text.push_str("\nHistory:");
    for _ in 0..60 + random.below(120) {
        text.push(' ');
        if random.below(3) > 0 {
            text.push_str(random.one_of(&COMMON));
        } else {
            text.push_str(random.one_of(&STEMS));
            text.push_str(random.one_of(&ENDINGS));
        }
        if random.below(12) == 0 {
            text.push('.');
        }
    }
    text.push('.');
}
